"""Seven features of each cell of a grid over a crop: its brightness, its colours, and how rough it is.

Mean brightness ``L = (r + g + b) / 3``, the mean opponent colours ``r - g`` and ``b - (r + g) / 2``, and the logarithms
of four energies: the squared slopes of L down and across, its squared Laplacian (fine detail), and the squared
gradients of the opponent colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from plugins.pictures.brightness import gains, scales
from plugins.pictures.cells import Neighbours, pool, pool_neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from monitor.api import Floats, Measurement, Pixels

# How many crops are measured at once: few enough for the processor's caches. The order of what is learned from the
# features depends on it, so another number would make other models.
BATCH: Final = 128

FEATURES: Final = (
    "brightness", "red_green", "blue_yellow", "gradient_down", "gradient_across", "detail", "colour_gradient",
)  # fmt: skip
# In squared intensity: about what the rounding to 256 levels leaves in an even surface.
ENERGY_FLOOR: Final = np.float32(1e-5)
# How many times larger the features are as measured, in whole levels.
MEANS_OF: Final = np.array([3, 1, 2], dtype=np.float32)
ENERGIES_OF: Final = np.array([36, 36, 9, 4], dtype=np.float32)


def batches(crops: Pixels) -> Iterator[Pixels]:
    """Crops, uint8 (N, H, W, 3), a few at a time."""
    return (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))


def middle(length: int, cell: int, share: float) -> range:
    """The cells along a side of ``length`` pixels whose middle lies in the middle ``share`` of it."""
    count = length // cell
    inside = [index for index in range(count) if abs((index + 0.5) / count - 0.5) <= share / 2]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


class CellGrid:
    """The cells of a crop that are measured, row by row from the top left."""

    def __init__(self, size: tuple[int, int], *, cell: int, share: tuple[float, float] = (1.0, 1.0)) -> None:
        """``size``: (height, width) in pixels, multiples of ``cell``, the side of a cell.

        ``share``: cells count whose middle lies in the middle share of the rows and in that of the columns, 0-1.
        """
        self.cell = cell
        self.rows, self.columns = (middle(length, cell, part) for length, part in zip(size, share, strict=True))

        self._identity = (size, cell, self.rows, self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellGrid) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def covers(self, other: Measurement) -> bool:
        """Whether the other is a grid over the same crops whose cells are among these."""
        return (
            isinstance(other, CellGrid)
            and self._identity[:2] == other._identity[:2]
            and {*other.rows} <= {*self.rows}
            and {*other.columns} <= {*self.columns}
        )

    def places_in(self, larger: CellGrid) -> NDArray[np.intp]:
        """Where the cells stand among those of a larger grid over the same crops: (C,)."""
        down = np.array([larger.rows.index(row) for row in self.rows], dtype=np.intp)
        across = np.array([larger.columns.index(column) for column in self.columns], dtype=np.intp)
        return (down[:, None] * len(larger.columns) + across).ravel()

    def measure(self, crops: Pixels) -> MeasuredCrops:
        """Measure any number of crops, uint8 (N, H, W, 3)."""
        return MeasuredCrops(self, [self._measure(batch) for batch in batches(crops)])

    def _measure(self, batch: Pixels) -> MeasuredBatch:
        gain = gains(batch)
        scale = scales(gain)
        return MeasuredBatch(batch, gain, scale, self.features(self.colours(batch), scale))

    def features_of(self, crops: Pixels) -> Floats:
        """The features of any number of crops, uint8 (N, H, W, 3): float32 (N, C, K)."""
        measured = [batch.features for batch in self.measure(crops).batches]
        return np.concatenate([np.empty((0, len(self), len(FEATURES)), dtype=np.float32), *measured])

    def colours(self, batch: Pixels) -> Floats:
        """The colours of the cells and of one more pixel all around: float32 (3, n, h + 2, w + 2), 0-255."""
        down = _span(self.rows, self.cell, batch.shape[1])
        across = _span(self.columns, self.cell, batch.shape[2])
        cut = np.moveaxis(batch[:, down.inside, across.inside], 3, 0)
        if not any((*down.beyond, *across.beyond)):
            return cut.astype(np.float32, order="C")
        # Beyond the edge the edge's pixels repeat. Filling the frame takes a third of the time of indexing for it.
        (top, bottom), (left, right) = down.beyond, across.beyond
        height, width = cut.shape[2:]
        framed = np.empty((3, len(batch), top + height + bottom, left + width + right), dtype=np.float32)
        framed[:, :, top : top + height, left : left + width] = cut
        if top:
            framed[:, :, 0] = framed[:, :, 1]
        if bottom:
            framed[:, :, -1] = framed[:, :, -2]
        if left:
            framed[..., 0] = framed[..., 1]
        if right:
            framed[..., -1] = framed[..., -2]
        return framed

    def features(self, colours: Floats, scale: Floats) -> Floats:
        """The features of each cell, float32 (n, C, K), of the colours that `colours` has cut out.

        ``scale``, (n,), brings these to 0-1 at the usual brightness.
        """
        red, green, blue = colours
        # 3 L, r - g and 2 b - (r + g): whole levels, so that nothing is rounded before the means over the cells.
        values = np.empty_like(colours)
        both = np.add(red, green, out=values[0])
        np.add(blue, blue, out=values[2])
        values[2] -= both
        both += blue
        np.subtract(red, green, out=values[1])
        means = pool(values[..., 1:-1, 1:-1], self.cell)
        means *= (scale / MEANS_OF[:, None])[:, :, None]
        brightness, red_green, blue_yellow = (Neighbours(channel) for channel in values)
        slopes = pool_neighbours(brightness.squared_slopes(), self.cell)
        detail = pool_neighbours(brightness.squared_detail(), self.cell)
        gradients = blue_yellow.squared_slopes()
        gradients *= np.float32(1 / 4)
        gradients += red_green.squared_slopes()
        gradients[0] += gradients[1]
        energies = np.concatenate([slopes, detail, pool_neighbours(gradients[:1], self.cell)])
        energies *= (scale**2 / ENERGIES_OF[:, None])[:, :, None]
        energies += ENERGY_FLOOR
        return np.concatenate([means, np.log(energies, out=energies)]).transpose(1, 2, 0)


class MeasuredBatch(NamedTuple):
    """Some crops with their brightness and the features of their cells.

    ``crops``: uint8 (n, H, W, 3); ``gain`` and ``scale``: float32 (n,), see `plugins.pictures.brightness`;
    ``features``: float32 (n, C, K).
    """

    crops: Pixels
    gain: Floats
    scale: Floats
    features: Floats


class MeasuredCrops(NamedTuple):
    """Crops as a grid has measured them, a few at a time."""

    grid: CellGrid
    batches: list[MeasuredBatch]

    def on(self, grid: CellGrid) -> list[MeasuredBatch]:
        """The same with the features of the cells of another grid alone, which `CellGrid.covers` has to hold for."""
        if grid == self.grid:
            return self.batches
        places = grid.places_in(self.grid)
        return [batch._replace(features=batch.features[:, places]) for batch in self.batches]


class _Span(NamedTuple):
    """The pixels of some cells along a side and one more at both ends: those ``inside`` the picture.

    ``beyond``: how many lie before its first pixel and after its last one, 0 or 1 each.
    """

    inside: slice
    beyond: tuple[int, int]


def _span(cells: range, cell: int, length: int) -> _Span:
    start, stop = cells[0] * cell - 1, (cells[-1] + 1) * cell + 1
    return _Span(slice(max(start, 0), min(stop, length)), (int(start < 0), int(stop > length)))
