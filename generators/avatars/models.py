"""Models that draw avatars at random, learnt from N images of one size.

All three are maximum-likelihood models whose marginals are the counts of the images: at every pixel, a colour that n of
the N images have there has the probability n / N.

- `ChannelModel`: every channel of every pixel by itself, with p = (n + A) / (N + 256 A) under smoothing A.
- `PixelModel`: the whole colour of every pixel by itself; the pseudo-counts, 256 A in all as above, are spread evenly
  over all 256**C colours: p = (n + 256 A / 256**C) / (N + 256 A).
- `CoherentModel`: every pixel takes its colour from one image, and which one is a random field
  (`generators.avatars.mosaic`). Each pixel's distribution is that of `PixelModel`, exactly; neighbouring pixels depend
  on each other.

    >>> from generators.avatars.models import CoherentModel, embedded_sources, generate
    >>> avatar = next(generate(CoherentModel(embedded_sources().pixels), 1, seed=7))
    >>> avatar.pixels.shape, avatar.pixels.dtype
    ((280, 264, 4), dtype('uint8'))

Log-probabilities are natural logarithms of the chance of the whole picture, exact in all three models.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import numpy as np

from generators.avatars.mosaic import Mosaic, learn
from generators.avatars.sources import SourceImages, embedded_sources, read_sources
from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]
    Labels: TypeAlias = NDArray[np.integer[Any]]

__all__ = [
    "COHERENCE",
    "Avatar",
    "AvatarModel",
    "ChannelModel",
    "CoherentModel",
    "PixelModel",
    "SourceImages",
    "embedded_sources",
    "generate",
    "make_model",
    "read_sources",
]

COHERENCE: Final = 0.8

# How many values are taken at once.
_AT_ONCE: Final = 2**15

# `CoherentModel` refuses more images than this: its tables grow with the square of their number.
MOST_SOURCES: Final = 2000


@dataclass(frozen=True)
class Avatar:
    """One random picture: uint8 (H, W, C).

    ``log_probability``: natural logarithm of the picture's chance under its model. ``independent_log_probability``:
    of a `CoherentModel`'s picture, that under `PixelModel`, which has the same distribution of each pixel and no
    dependence between pixels; none of another model's picture.
    """

    number: int
    pixels: Pixels
    log_probability: float
    independent_log_probability: float | None = None

    @property
    def bits_per_pixel(self) -> float:
        """Bits that a perfect code of the model would spend on the picture, for each pixel."""
        return self._bits(self.log_probability)

    @property
    def independent_bits_per_pixel(self) -> float | None:
        """The same of the independent log-probability."""
        return None if self.independent_log_probability is None else self._bits(self.independent_log_probability)

    def _bits(self, log_probability: float) -> float:
        height, width = self.pixels.shape[:2]
        bits: float = -log_probability / math.log(2) / (height * width)
        # The zero comes first, or the result would be -0.0 where the probability is 1.
        return max(0.0, bits)


class AvatarModel(ABC):
    """A distribution over pictures learnt from ``sources``, uint8 (N, H, W, 3) RGB or (N, H, W, 4) RGBA, N >= 2.

    ``smoothing``: A >= 0, what is added to the count of each of a channel's 256 values; 0: plain maximum likelihood,
    under which a picture shows only colours of its sources. Raises `DataError` for other sources or smoothing.
    """

    name: ClassVar[str]

    def __init__(self, sources: Pixels, smoothing: float = 0.0) -> None:
        if sources.dtype != np.uint8 or sources.ndim != 4 or sources.shape[3] not in {3, 4} or not sources.size:
            raise DataError(
                f"sources must be uint8 (N, H, W, 3 or 4) and not empty, got {sources.dtype} {sources.shape}"
            )
        if len(sources) < 2:
            raise DataError("avatars are learnt from two images or more")
        if not (math.isfinite(256 * smoothing) and smoothing >= 0):
            raise DataError(f"the smoothing must be 0 or more, and not so large that sums overflow, got {smoothing}")
        self.sources = np.ascontiguousarray(sources)
        self.smoothing = smoothing

    @property
    def kept_share(self) -> float:
        """The chance that a value comes from a source and not from the smoothing: N / (N + 256 A)."""
        count = len(self.sources)
        return float(count / (count + 256 * self.smoothing))

    @abstractmethod
    def sample(self, generator: np.random.Generator) -> Pixels:
        """Draw one picture: uint8 (H, W, C)."""

    @abstractmethod
    def log_probability(self, picture: Pixels) -> float:
        """Natural logarithm of the chance of ``picture``, uint8 (H, W, C); -inf where it cannot be drawn."""

    def _check(self, picture: Pixels) -> None:
        if picture.dtype != np.uint8 or picture.shape != self.sources.shape[1:]:
            raise DataError(
                f"the picture must be uint8 {self.sources.shape[1:]} as the sources are, "
                f"got {picture.dtype} {picture.shape}"
            )


class ChannelModel(AvatarModel):
    """Every channel of every pixel by itself: p = (n + A) / (N + 256 A)."""

    name = "channel"

    def sample(self, generator: np.random.Generator) -> Pixels:  # noqa: D102
        shape = self.sources.shape[1:]
        chosen = _numbers(generator, len(self.sources), math.prod(shape))
        values = _taken(self.sources.reshape(len(self.sources), -1), chosen).reshape(shape)
        if self.smoothing:
            noise = generator.integers(0, 256, shape, dtype=np.uint8)
            values = np.where(generator.random(shape) < self.kept_share, values, noise)
        return values

    def log_probability(self, picture: Pixels) -> float:  # noqa: D102
        self._check(picture)
        counts = np.zeros(picture.shape, dtype=_count_type(self.sources))
        for source in self.sources:
            counts += source == picture
        return _sum_of_logs(counts, len(self.sources), self.smoothing, 256 * self.smoothing)


class PixelModel(AvatarModel):
    """The whole colour of every pixel by itself: p = (n + 256 A / 256**C) / (N + 256 A)."""

    name = "pixel"

    def __init__(self, sources: Pixels, smoothing: float = 0.0) -> None:
        super().__init__(sources, smoothing)
        self._colours = _as_numbers(self.sources)

    def labels(self, generator: np.random.Generator) -> Labels:
        """Draw the source of each pixel: (H, W), 0 to N - 1."""
        height, width = self.sources.shape[1:3]
        return _numbers(generator, len(self.sources), height * width).reshape(height, width)

    def sample(self, generator: np.random.Generator) -> Pixels:  # noqa: D102
        shape = self.sources.shape[1:]
        labels = self.labels(generator)
        colours = _taken(self._colours.reshape(len(self.sources), -1), labels.ravel())
        picture = np.ascontiguousarray(colours.view(np.uint8).reshape(*shape[:2], 4)[..., : shape[2]])
        if self.smoothing:
            noise = generator.integers(0, 256, shape, dtype=np.uint8)
            picture = np.where(generator.random(shape[:2])[..., None] < self.kept_share, picture, noise)
        return picture

    def log_probability(self, picture: Pixels) -> float:  # noqa: D102
        return self.independent_log_probability(picture)

    def independent_log_probability(self, picture: Pixels) -> float:
        """The sum of the logarithms of each pixel's own probability."""
        self._check(picture)
        colours = _as_numbers(picture[None])[0]
        counts = np.zeros(colours.shape, dtype=_count_type(self.sources))
        for source in self._colours:
            counts += source == colours
        everywhere = 256.0 * self.smoothing
        return _sum_of_logs(counts, len(self.sources), everywhere / 256 ** picture.shape[2], everywhere)


class CoherentModel(PixelModel):
    """Every pixel's source follows a random field, so that parts of a picture come whole from one source.

    ``coherence``, 0-1: 1 gives whole sources, 0 is `PixelModel`. In between, a picture has about
    (H * W) ** (1 - coherence) parts. ``mosaic``: the parts and how they follow each other; none at 0.
    ``no_copies``: whether the field gives no chance to a copy of a source.
    """

    name = "coherent"

    def __init__(self, sources: Pixels, smoothing: float = 0.0, coherence: float = COHERENCE) -> None:
        super().__init__(sources, smoothing)
        if not 0 <= coherence <= 1:
            raise DataError(f"the coherence must lie between 0 and 1, got {coherence}")
        if len(sources) > MOST_SOURCES:
            raise DataError(
                f"{len(sources)} images are too many for a coherent model, {MOST_SOURCES} are the most; "
                f"give fewer, or take the model pixel"
            )
        self.coherence = coherence
        self.mosaic: Mosaic | None = learn(self.sources, coherence) if coherence else None

    @property
    def no_copies(self) -> bool:
        """Whether no picture can equal a source (where there is no smoothing, which can draw anything)."""
        return self.mosaic is not None and self.mosaic.no_copies and not self.smoothing

    def labels(self, generator: np.random.Generator) -> Labels:  # noqa: D102
        if self.mosaic is None:
            return super().labels(generator)
        return self.mosaic.sample(generator)[self.mosaic.parts]

    def log_probability(self, picture: Pixels) -> float:  # noqa: D102
        if self.mosaic is None:
            return super().log_probability(picture)
        self._check(picture)
        colours = _as_numbers(picture[None])[0]
        parts = self.mosaic.parts.ravel()
        count = len(self.mosaic.edges) + 1
        sizes = np.bincount(parts, minlength=count)
        # Not as 1 less the other share, of which a small one would lose its digits.
        noise = (256 * self.smoothing / (len(self.sources) + 256 * self.smoothing)) / 256.0 ** picture.shape[2]
        columns = []
        for source in self._colours:
            other = np.bincount(parts[(source != colours).ravel()], minlength=count)
            with np.errstate(divide="ignore"):
                # An impossible colour rules its source out, and no such colour says nothing.
                unlike = other * np.where(other > 0, np.log(noise), 0.0)
            columns.append((sizes - other) * math.log(self.kept_share + noise) + unlike)
        return self.mosaic.log_probability(np.stack(columns, axis=1))


MODELS: Final = ("channel", "pixel", "coherent")


def make_model(name: str, sources: Pixels, *, smoothing: float = 0.0, coherence: float = COHERENCE) -> AvatarModel:
    """Make the model of this name, one of `MODELS`; ``coherence`` matters only for ``coherent``."""
    match name:
        case "channel":
            return ChannelModel(sources, smoothing)
        case "pixel":
            return PixelModel(sources, smoothing)
        case "coherent":
            return CoherentModel(sources, smoothing, coherence)
    raise DataError(f"there is no avatar model {name!r}; there are: {', '.join(MODELS)}")


def generate(model: AvatarModel, count: int, seed: int) -> Iterator[Avatar]:
    """Draw ``count`` avatars, numbered from 1. The same seed gives the same ones, however many are drawn."""
    for number in range(1, count + 1):
        picture = model.sample(np.random.default_rng([seed, number]))
        independent = model.independent_log_probability(picture) if isinstance(model, CoherentModel) else None
        yield Avatar(number, picture, model.log_probability(picture), independent)


def _numbers(generator: np.random.Generator, count: int, size: int) -> NDArray[Any]:
    """``size`` numbers below ``count``, all equally likely."""
    # Bytes are drawn far more quickly than long integers.
    kind = np.uint8 if count <= 256 else np.int64
    return generator.integers(0, count, size, dtype=kind)


def _taken(values: NDArray[Any], chosen: NDArray[Any]) -> NDArray[Any]:
    """The value at each place of the source that is chosen for it, of N sources' values (N, size): (size,)."""
    size = chosen.size
    flat = values.reshape(-1)
    taken = np.empty(size, dtype=values.dtype)
    counted = np.arange(min(size, _AT_ONCE))
    # Piece by piece, so that the values stay in the processor's cache.
    for first in range(0, size, _AT_ONCE):
        places = chosen[first : first + _AT_ONCE].astype(np.intp)
        places *= size
        places += counted[: places.size]
        # No place is out of bounds, and with this mode numpy does not check.
        flat[first:].take(places, out=taken[first : first + _AT_ONCE], mode="clip")
    return taken


def _as_numbers(pictures: Pixels) -> NDArray[np.uint32]:
    """One number for each pixel's whole colour: uint8 (N, H, W, C) -> uint32 (N, H, W)."""
    padded = np.zeros((*pictures.shape[:3], 4), dtype=np.uint8)
    padded[..., : pictures.shape[3]] = pictures
    return padded.view(np.uint32)[..., 0]


def _count_type(sources: Pixels) -> type[np.unsignedinteger]:
    return np.uint8 if len(sources) < 256 else np.uint32


def _sum_of_logs(counts: NDArray[np.unsignedinteger], total: int, added: float, added_in_all: float) -> float:
    """Sum the logarithms of (n + added) / (total + added_in_all) over all counts n."""
    frequencies = np.bincount(counts.ravel(), minlength=total + 1)
    with np.errstate(divide="ignore"):
        logs = np.log((np.arange(total + 1) + added) / (total + added_in_all))
    seen = frequencies > 0
    return float(frequencies[seen] @ logs[seen])
