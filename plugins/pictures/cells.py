"""Pictures cell by cell: the means over square cells, and the slopes and details that such means are taken of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from monitor.api import Floats


def pool(values: Floats, cell: int) -> Floats:
    """The mean over each square cell of ``cell`` >= 2 pixels a side, row by row: float32 (..., h, w) -> (..., C)."""
    rows = _sum_of_each(values.swapaxes(-1, -2), cell).swapaxes(-1, -2)
    sums = _sum_of_each(rows, cell).reshape(*values.shape[:-2], -1)
    sums *= np.float32(1 / cell**2)
    return sums


def _sum_of_each(values: Floats, cell: int) -> Floats:
    """The sums of each ``cell`` numbers of the last axis."""
    # A sum over an axis of its own takes several times as long.
    sums = values[..., 0::cell] + values[..., 1::cell]
    for place in range(2, cell):
        sums += values[..., place::cell]
    return sums


def pool_neighbours(values: Floats, cell: int) -> Floats:
    """`pool` of what `Neighbours` gives: float32 (..., h + 2, w + 2) -> (..., C)."""
    return pool(values[..., :-2, :-2], cell)


def padded(values: Floats) -> Floats:
    """One more pixel all around, for differences across the border: (N, h, w) -> (N, h + 2, w + 2)."""
    count, height, width = values.shape
    wider = np.empty((count, height + 2, width + 2), dtype=values.dtype)
    wider[:, 1:-1, 1:-1] = values
    wider[:, 0, 1:-1], wider[:, -1, 1:-1] = values[:, 0], values[:, -1]
    wider[:, :, 0], wider[:, :, -1] = wider[:, :, 1], wider[:, :, -2]
    return wider


class Neighbours:
    """The pixels of pictures, float32 (N, h + 2, w + 2), without the border, each with the four around it.

    Each of the five is one long row of numbers, because numpy is several times as fast with these as with many short
    ones. The row runs on across the pictures' edges, so that what is made of it has the pictures' shape, and its last
    two rows and columns mean nothing; `pool_neighbours` leaves them out.
    """

    def __init__(self, pictures: Floats) -> None:
        width = pictures.shape[2]
        self._shape = pictures.shape
        self._count = pictures.size - 2 * width - 2
        row = pictures.ravel()
        self.above, self.left, self.middle, self.right, self.below = (
            row[start : start + self._count] for start in (1, width, width + 1, width + 2, 2 * width + 1)
        )

    def squared_slopes(self) -> Floats:
        """Four times the squares of the slopes down and across, by central differences: (2, N, h + 2, w + 2)."""
        slopes, rows = self._pictures(2)
        np.subtract(self.below, self.above, out=rows[0])
        np.subtract(self.right, self.left, out=rows[1])
        slopes *= slopes
        return slopes

    def squared_detail(self) -> Floats:
        """The square of four times a pixel less its four neighbours: (1, N, h + 2, w + 2)."""
        detail, rows = self._pictures(1)
        np.multiply(self.middle, np.float32(4), out=rows[0])
        for neighbour in (self.above, self.left, self.right, self.below):
            rows[0] -= neighbour
        detail *= detail
        return detail

    def _pictures(self, number: int) -> tuple[Floats, Floats]:
        """Memory for this number of values of each pixel, as pictures and as rows."""
        pictures = np.empty((number, *self._shape), dtype=np.float32)
        rows = pictures.reshape(number, -1)
        rows[:, self._count :] = 0
        return pictures, rows[:, : self._count]
