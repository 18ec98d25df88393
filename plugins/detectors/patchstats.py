"""The detector ``patchstats``: local statistics on a grid over the hole, each compared with what is usual there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from monitor.api import DataError, Detector, FitReport, Scores
from plugins.detectors.regions import Regions
from plugins.networks.allocation import keep_freed_memory
from plugins.pictures.cells import Neighbours, pool, pool_neighbours
from plugins.pictures.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels, Progress

PICTURE: Final = "picture.safetensors"
# How many crops are measured at once: few enough for the processor's caches. The order of what `fit` learns from
# depends on it, so another number would make other models.
BATCH: Final = 128

FEATURES: Final = (
    "brightness", "red_green", "blue_yellow", "gradient_down", "gradient_across", "detail", "colour_gradient",
)  # fmt: skip
USUAL_BRIGHTNESS: Final = np.float32(0.5)
LEAST_BRIGHTNESS: Final = np.float32(0.05)
# In squared intensity: about what the rounding to 256 levels leaves in an even surface.
ENERGY_FLOOR: Final = np.float32(1e-5)
# How many times larger the features are as measured, in whole levels.
MEANS_OF: Final = np.array([3, 1, 2], dtype=np.float32)
ENERGIES_OF: Final = np.array([36, 36, 9, 4], dtype=np.float32)


class PatchStatisticsSettings(BaseModel):
    """Settings of `PatchStatistics`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=32, ge=8, le=256, description="Rows that crops are resized to.")
    width: int = Field(default=48, ge=8, le=256, description="Columns that crops are resized to.")
    cell: int = Field(default=4, ge=2, le=64, description="Side of a square cell, in pixels of the resized crop.")
    centre_height: float = Field(
        default=0.8, gt=0, le=1, description="Cells count whose middle lies in this share of the rows."
    )
    centre_width: float = Field(default=0.5, gt=0, le=1, description="And in this share of the columns.")
    colour_cast: float = Field(
        default=0.08, ge=0, lt=1, description="Each crop is also learned with its channels changed by up to this share."
    )
    kinds: int = Field(
        default=4, ge=1, le=64, description="Into how many kinds of scene the training crops are divided, at most."
    )
    trimmed: float = Field(
        default=0.4, ge=0, lt=1, description="The share of the cells, the farthest from the usual, that does not count."
    )
    shrinkage: float = Field(
        default=0.05, ge=0, le=1, description="The part of a cell's covariance that is taken from all cells together."
    )

    @model_validator(mode="after")
    def _whole_cells_in_the_middle(self) -> Self:
        if self.height % self.cell or self.width % self.cell:
            raise ValueError("height and width must be multiples of cell")
        if not (
            _middle(self.height, self.cell, self.centre_height) and _middle(self.width, self.cell, self.centre_width)
        ):
            raise ValueError("no cell has its middle in so small a centre; raise centre_height or centre_width")
        return self


class PatchStatistics(Detector):
    """Measures a few local statistics in each cell of a grid over the hole, and how far each is from the usual.

    1. The crop is resized and its intensities are divided by its median brightness, so that the level of the light
       does not matter.
    2. Each cell gets seven features: mean brightness ``L = (r + g + b) / 3``, the mean opponent colours ``r - g``
       and ``b - (r + g) / 2``, and the logarithms of four energies: the squared slopes of L down and across, its
       squared Laplacian (fine detail), and the squared gradients of the opponent colours.
    3. The training crops are divided into a few kinds of scene (k-means on their features): a billet's head, a frozen
       crust, other light. For each kind and cell a Gaussian is learned: mean m, covariance S, shrunk towards the mean
       covariance of all cells. A crop is compared with the kind that it is nearest to. The distance of cell c is
       Mahalanobis', per feature:
       ``d_c = (x - m)' S^-1 (x - m) / 7``; it is about 1 for a usual cell.
    4. The deciding score ``distance`` is a trimmed geometric mean over the cells in the centre,
       ``exp(mean_c log(d_c + 0.1))`` without the farthest 40 % (``trimmed``): what is abnormal in most places counts,
       not what is very abnormal in a few, such as a tool's edge or a reflection.

    It learns each crop twice, as it is and under a made-up cast, each channel brighter or darker by up to
    ``colour_cast``, so that changes of lamps and cameras count as usual.

    It is two-sided: a surface that is too smooth, such as that of an empty hole, is as far from the usual as one that
    is too rough. A Gaussian for each place of the picture is the idea of PaDiM (Defard et al., arXiv:2011.08785), whose
    features come from a deep network; these are measured.

    ``mse`` compares the resized crop with the mean training crop at the same brightness, which is its
    "reconstruction".
    """

    name = "patchstats"
    Settings: ClassVar[type[BaseModel]] = PatchStatisticsSettings

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, device)
        self._regions: Regions | None = None
        self._picture: Floats = np.zeros((*self.input_size, 3), dtype=np.float32)
        self._rows = _middle(self.settings.height, self.settings.cell, self.settings.centre_height)
        self._columns = _middle(self.settings.width, self.settings.cell, self.settings.centre_width)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops: uint8 (N, H, W, 3)."""
        return resized(crops, size=self.input_size)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:  # noqa: ARG002 - nothing is stopped early
        """Learn the usual statistics from prepared ne_proliv crops, uint8 (N, H, W, 3), in one pass."""
        total = np.zeros(crops.shape[1:], dtype=np.float64)
        features = []
        generator = np.random.default_rng(seed)
        for batch in _batches(crops):
            scale = _scale(_gain(batch))
            total += (batch * scale[:, None, None, None]).sum(axis=0, dtype=np.float64)
            colours = self._centre(batch)
            features.append(self._features(colours, scale))
            if self.settings.colour_cast:
                cast, level = _cast(batch, scale, self.settings.colour_cast, generator)
                features.append(self._features(colours * cast.T[:, :, None, None], scale / level))
        self._regions = Regions.learn(
            _joined(features, (0, 0)), shrinkage=self.settings.shrinkage, kinds=self.settings.kinds, seed=seed
        )
        self._picture = (total / len(crops)).astype(np.float32)
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse``, and ``distance``, which decides."""
        regions = self._trained()
        errors, distances = [], []
        for batch in _batches(crops):
            gain = _gain(batch)
            scale = _scale(gain)
            difference = batch.reshape(len(batch), -1).astype(np.float32)
            difference *= scale[:, None]
            difference -= self._picture.ravel()
            errors.append(np.einsum("ni,ni->n", difference, difference) * gain**2 / self._picture.size)
            distances.append(
                regions.distance(self._features(self._centre(batch), scale), trimmed=self.settings.trimmed)
            )
        return Scores(_joined(errors, ()), {"distance": _joined(distances, ())}, decision="distance")

    def reconstruct(self, crops: Pixels) -> Floats:
        """The mean training crop at the brightness of each crop: float32 (N, H, W, 3), 0-1."""
        self._trained()
        pictures = [self._picture * _gain(batch)[:, None, None, None] for batch in _batches(crops)]
        return _joined(pictures, self._picture.shape).clip(0, 1)

    def latent(self, crops: Pixels) -> Floats:
        """The logarithms of the cells' distances: float32 (N, C), row by row from the top left."""
        regions = self._trained()
        trimmed = self.settings.trimmed
        features = [self._features(self._centre(batch), _scale(_gain(batch))) for batch in _batches(crops)]
        codes = [regions.log_distances(of_batch, trimmed=trimmed) for of_batch in features]
        return _joined(codes, (self._cells,))

    def details(self) -> Mapping[str, Any]:
        """The grid, the features and the kinds of scene."""
        cells = f"{len(self._rows)} rows of {len(self._columns)}"
        return {"cells": cells, "features": list(FEATURES), "kinds of scene": len(self._trained().mean)}

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        self._trained().save(folder)
        save_file({"picture": self._picture}, folder / PICTURE)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read it back; raises `DataError` when it is damaged or belongs to other settings."""
        keep_freed_memory()
        detector = cls(settings, device)
        detector._regions = Regions.load(folder, cells=detector._cells, features=len(FEATURES))
        try:
            detector._picture = load_file(folder / PICTURE)["picture"].reshape(*detector.input_size, 3)
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"{folder / PICTURE}: is no mean picture of these settings: {error}") from error
        return detector

    @property
    def _cells(self) -> int:
        return len(self._rows) * len(self._columns)

    def _trained(self) -> Regions:
        if self._regions is None:
            raise DataError("this detector has not been trained yet; fit it or load a trained one")
        return self._regions

    def _centre(self, batch: Pixels) -> Floats:
        """The colours of the centre's cells and of one more pixel all around: float32 (3, n, h + 2, w + 2), 0-255."""
        centre = batch[:, _span(self._rows, self.settings.cell, batch.shape[1])]
        centre = centre[:, :, _span(self._columns, self.settings.cell, batch.shape[2])]
        return np.moveaxis(centre, 3, 0).astype(np.float32, order="C")

    def _features(self, colours: Floats, scale: Floats) -> Floats:
        """The features of the centre's cells, float32 (n, C, K), of the colours that `_centre` has cut out.

        ``scale``, (n,), brings these to 0-1 at the usual brightness.
        """
        cell = self.settings.cell
        red, green, blue = colours
        # 3 L, r - g and 2 b - (r + g): whole levels, so that nothing is rounded before the means over the cells.
        values = np.empty_like(colours)
        both = np.add(red, green, out=values[0])
        np.add(blue, blue, out=values[2])
        values[2] -= both
        both += blue
        np.subtract(red, green, out=values[1])
        means = pool(values[..., 1:-1, 1:-1], cell)
        means *= (scale / MEANS_OF[:, None])[:, :, None]
        brightness, red_green, blue_yellow = (Neighbours(channel) for channel in values)
        slopes = pool_neighbours(brightness.squared_slopes(), cell)
        detail = pool_neighbours(brightness.squared_detail(), cell)
        gradients = blue_yellow.squared_slopes()
        gradients *= np.float32(1 / 4)
        gradients += red_green.squared_slopes()
        gradients[0] += gradients[1]
        energies = np.concatenate([slopes, detail, pool_neighbours(gradients[:1], cell)])
        energies *= (scale**2 / ENERGIES_OF[:, None])[:, :, None]
        energies += ENERGY_FLOOR
        return np.concatenate([means, np.log(energies, out=energies)]).transpose(1, 2, 0)


def _batches(crops: Pixels) -> Iterator[Pixels]:
    return (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))


def _gain(batch: Pixels) -> Floats:
    """How bright crops, uint8 (n, H, W, 3), are, in units of the usual brightness: float32 (n,)."""
    # Every second pixel in both directions has nearly the same median, for a quarter of the work.
    red, green, blue = np.moveaxis(batch[:, ::2, ::2], 3, 0)
    levels = red.astype(np.int32)
    levels += green
    levels += blue
    brightness = _median(levels.reshape(len(batch), -1)) / np.float32(765)
    gain: Floats = np.maximum(brightness, LEAST_BRIGHTNESS) / USUAL_BRIGHTNESS
    return gain


def _median(levels: NDArray[np.int32]) -> Floats:
    """The median of each row: float32. Sorting whole rows is several times faster than `numpy.median`."""
    ordered = np.sort(levels, axis=1)
    count = levels.shape[1]
    return (ordered[:, (count - 1) // 2] + ordered[:, count // 2]).astype(np.float32) / np.float32(2)


def _scale(gain: Floats) -> Floats:
    """What brings intensities 0-255 of crops with these gains to 0-1 at the usual brightness: float32 (n,)."""
    scale: Floats = np.float32(1 / 255) / gain
    return scale


def _cast(batch: Pixels, scale: Floats, most: float, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """A random factor within 1 +- ``most`` for each channel of crops, (n, 3), and how it changes their gain, (n,)."""
    cast = generator.uniform(1 - most, 1 + most, size=(len(batch), 1, 1, 3)).astype(np.float32)
    tinted = batch[:, ::2, ::2] * (scale[:, None, None, None] * cast)
    level = np.median(tinted.sum(axis=3).reshape(len(batch), -1), axis=1) / np.float32(3)
    return cast[:, 0, 0], (np.maximum(level, LEAST_BRIGHTNESS) / USUAL_BRIGHTNESS).astype(np.float32)


def _middle(length: int, cell: int, share: float) -> range:
    """The cells along a side of ``length`` pixels whose middle lies in the middle ``share`` of it."""
    count = length // cell
    inside = [index for index in range(count) if abs((index + 0.5) / count - 0.5) <= share / 2]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def _span(cells: range, cell: int, length: int) -> slice | NDArray[np.intp]:
    """The pixels of these cells along a side of ``length`` pixels and one more at both ends, the edge's if need be."""
    start, stop = cells[0] * cell - 1, (cells[-1] + 1) * cell + 1
    return slice(start, stop) if start >= 0 and stop <= length else np.arange(start, stop).clip(0, length - 1)


def _joined(batches: list[Any], shape: tuple[int, ...]) -> Floats:
    if not batches:
        return np.empty((0, *shape), dtype=np.float32)
    return np.concatenate(batches).astype(np.float32)
