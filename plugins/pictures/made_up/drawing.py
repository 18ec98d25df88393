"""What made-up pictures are drawn with: random numbers, coordinates, ellipses, lumps."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence

# The least and the greatest value of what is drawn evenly.
Range: TypeAlias = tuple[float, float]
# (height, width) in pixels.
Size: TypeAlias = tuple[int, int]


class Draw:
    """Draws for many pictures at once; the same seed gives the same numbers."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def evenly(self, count: int, within: Range) -> Tensor:
        """A number for each picture: float32 (count, 1, 1, 1)."""
        low, high = within
        return torch.rand(count, 1, 1, 1, generator=self._generator) * (high - low) + low

    def for_channels(self, count: int, within: Range) -> Tensor:
        """A number for each channel of each picture: float32 (count, 3, 1, 1)."""
        low, high = within
        return torch.rand(count, 3, 1, 1, generator=self._generator) * (high - low) + low

    def normally(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and deviation 1."""
        return torch.randn(shape, generator=self._generator)

    def happens(self, count: int, share: float) -> Tensor:
        """Whether something happens to each picture, with the probability ``share``: bool (count, 1, 1, 1)."""
        return torch.rand(count, 1, 1, 1, generator=self._generator) < share

    def signs(self, count: int) -> Tensor:
        """-1 or 1 for each picture: float32 (count, 1, 1, 1)."""
        return self.happens(count, 0.5).float() * 2 - 1

    def order(self, count: int) -> Tensor:
        """The numbers from 0 to count - 1 in random order."""
        return torch.randperm(count, generator=self._generator)

    def choices(self, among: int, count: int) -> Tensor:
        """``count`` numbers from 0 to ``among`` - 1, each as likely."""
        return torch.randint(among, (count,), generator=self._generator)

    def weighted_choices(self, weights: Tensor, count: int) -> Tensor:
        """``count`` places in ``weights``, each as likely as its weight says."""
        return torch.multinomial(weights, count, replacement=True, generator=self._generator)

    def lumps(
        self,
        count: int,
        size: Size,
        *,
        grid: Size,
        channels: int = 1,
        mode: Literal["bilinear", "bicubic"] = "bilinear",
    ) -> Tensor:
        """Smooth noise of deviation about 1, drawn on a coarse grid: float32 (count, channels, H, W)."""
        coarse = self.normally(count, channels, *grid)
        return interpolate(coarse, size=size, mode=mode, align_corners=False)


class Coordinates(NamedTuple):
    """How far down and across each pixel lies, from -1 to 1: float32 (1, 1, H, 1) and (1, 1, 1, W)."""

    down: Tensor
    across: Tensor

    @property
    def across_in_heights(self) -> Tensor:
        """The same across, in half heights of the picture, so that angles are those that are seen."""
        return self.across * self.across.shape[3] / self.down.shape[2]

    def along(self, angle: Tensor) -> Tensor:
        """How far each pixel lies in a direction: (N, 1, H, W), of angles in radians, (N, 1, 1, 1)."""
        return self.across * angle.cos() + self.down * angle.sin()


@lru_cache
def coordinates(size: Size) -> Coordinates:
    """The coordinates of a picture's pixels."""
    height, width = size
    return Coordinates(
        torch.linspace(-1, 1, height).reshape(1, 1, -1, 1), torch.linspace(-1, 1, width).reshape(1, 1, 1, -1)
    )


def size_of(pictures: Tensor) -> Size:
    """(H, W) of pictures (N, 3, H, W)."""
    return pictures.shape[2], pictures.shape[3]


def level(pictures: Tensor) -> Tensor:
    """The median brightness of each picture, 0-1: (N, 1, 1, 1)."""
    return pictures.mean(dim=1).flatten(1).median(dim=1).values.reshape(-1, 1, 1, 1)


class EllipseRanges(NamedTuple):
    """Where ellipses are drawn, how large, and how soft their rim is, in shares of their radius."""

    across: Range
    down: Range
    half_width: Range
    half_height: Range
    softness: Range


class Ellipse(NamedTuple):
    """``mask``: 1 inside, 0 outside; ``distance``: 0 in the centre, 1 at the rim. Both (N, 1, H, W)."""

    mask: Tensor
    distance: Tensor


def ellipse(draw: Draw, count: int, size: Size, ranges: EllipseRanges) -> Ellipse:
    """An ellipse for each picture."""
    place = coordinates(size)
    across = (place.across - draw.evenly(count, ranges.across)) / draw.evenly(count, ranges.half_width)
    down = (place.down - draw.evenly(count, ranges.down)) / draw.evenly(count, ranges.half_height)
    distance = (across.square() + down.square()).sqrt()
    return Ellipse(torch.sigmoid(2 * (1 - distance) / draw.evenly(count, ranges.softness)), distance)


def ridge(position: Tensor, middle: Tensor | float, width: Tensor | float) -> Tensor:
    """1 where ``position`` is ``middle``, and falling off to both sides as a Gaussian does."""
    return torch.exp(-(((position - middle) / width) ** 2))


def blended(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Pictures with others laid over them as far as ``mask``, 0-1, says."""
    return below * (1 - mask) + above * mask


def parts(count: int, shares: Sequence[float]) -> list[slice]:
    """``count`` pictures divided one after the other in proportion to ``shares``."""
    ends = [round(count * share / sum(shares)) for share in accumulate(shares)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
