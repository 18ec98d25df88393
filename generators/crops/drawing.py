"""Draws smooth random fields, soft masks and colours on whole batches of crops.

Throughout, images are float32 (N, H, W, 3) with intensities 0-255, masks and fields float32 (N, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Colour: TypeAlias = tuple[float, float, float] | Floats


def smooth_noise(generator: np.random.Generator, shape: tuple[int, int, int], cell: tuple[float, float]) -> Floats:
    """Draw Gaussian random fields, float32 of ``shape`` (N, H, W), each pixel with mean 0 and variance 1.

    ``cell``: the size of the spots, (vertical, horizontal) in pixels.
    """
    count, height, width = shape
    vertical, horizontal = _kernel(height, cell[0]), _kernel(width, cell[1])
    knots = generator.standard_normal((count, vertical.shape[1], horizontal.shape[1]), dtype=np.float32)
    fields = vertical @ knots @ horizontal.T
    return np.asarray(fields, dtype=np.float32)


def _kernel(length: int, cell: float) -> Floats:
    """Weights, float32 (length, knots), that spread knots one cell apart; unit-length rows keep the variance at 1."""
    knots = np.arange(-2, np.ceil(length / cell) + 2)
    distances = np.arange(length)[:, None] / cell - knots
    weights = np.exp(-2 * distances**2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    kernel: Floats = weights.astype(np.float32)
    return kernel


def paint(image: Floats, mask: Floats, colour: tuple[float, float, float] | Floats) -> Floats:
    """Lay ``colour`` over float32 (..., H, W, 3) where ``mask`` (..., H, W), 0-1, says so."""
    painted: Floats = image + mask[..., None] * (np.asarray(colour, dtype=np.float32) - image)
    return painted


def step(distance: Floats, softness: float = 1.0) -> Floats:
    """Turn a signed distance in pixels (positive inside) into a mask 0-1 with an edge of ``softness`` pixels."""
    mask: Floats = np.clip(distance / softness + 0.5, 0, 1)
    return mask


def column(generator: np.random.Generator, count: int, low: float, high: float) -> Floats:
    """One uniform number for each crop, float32 (N, 1, 1), to be broadcast to (N, H, W)."""
    column: Floats = generator.uniform(low, high, (count, 1, 1)).astype(np.float32)
    return column


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a crop lie, each float32 (1, H, W).

    ``across``: -1 at the crop's left edge, 1 at its right; ``down``: 0 at its top, 1 at its bottom.
    """

    height: int
    width: int
    across: Floats
    down: Floats

    @classmethod
    def of(cls, height: int, width: int, margin: int = 0) -> Grid:
        """The grid of a crop of ``height`` x ``width`` pixels and a margin of pixels around it."""
        rows = (np.arange(-margin, height + margin, dtype=np.float32) + 0.5) / height
        columns = (np.arange(-margin, width + margin, dtype=np.float32) + 0.5) / width * 2 - 1
        down, across = np.meshgrid(rows, columns, indexing="ij")
        return cls(height, width, across[None].astype(np.float32), down[None].astype(np.float32))

    def shape(self, count: int) -> tuple[int, int, int]:
        """The shape (N, H, W) of ``count`` fields on this grid."""
        return (count, *self.across.shape[1:])

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], roughness: Floats | float = 0.0
    ) -> Floats:
        """Signed distance in pixels to an ellipse, (across, down) in the grid's units; positive inside."""
        radius = np.hypot((self.across - centre[0]) / radii[0], (self.down - centre[1]) / radii[1])
        distance: Floats = (1 - radius) * (radii[1] * self.height) + roughness
        return distance
