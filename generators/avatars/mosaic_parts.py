"""Finds the parts of a picture: pixels that look alike in every one of N images belong together.

A pixel's *appearance* is the colours that it has in all N images, premultiplied by their opacity. Ward's hierarchical
clustering of the appearances, with the place in the picture as a weak further coordinate, gives the parts (skin, hair,
clothes, ...). It knows no faces and does not depend on the order of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sources: TypeAlias = NDArray[np.uint8]
    Matrix: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = NDArray[np.intp]

# Cells of the coarse grid that is clustered: Ward's memory grows with its square.
LARGEST_GRID: Final = 3000

# How much the whole height of a picture counts, in units of a change from black to white in every source.
PLACE_WEIGHT: Final = 0.25

# A piece that covers less than this share of an average part is given to the part around it.
_SMALLEST_PIECE: Final = 0.012

# Above this many parts, or this product of parts and pixels, the coarse grid's outlines are kept, to save time.
_REFINED: Final = 64
_REFINED_PIXELS: Final = 400_000_000

# How many values of pixels, and distances of pixels from parts, are kept in memory at once.
_AT_ONCE: Final = 20_000_000

# Side in pixels of the square over which distances are averaged, or noise would make parts of its own.
_EVENED: Final = 3


def premultiplied(sources: Sources) -> Sources:
    """Colours times opacity: what is transparent looks alike whatever its colour."""
    if sources.shape[-1] == 3:
        return sources
    colours = sources.copy()
    opacity = sources[..., 3:].astype(np.uint16)
    colours[..., :3] = (sources[..., :3] * opacity + 127) // 255
    return colours


def find_parts(colours: Sources, wanted: int) -> Labels:
    """Split a picture into about ``wanted`` parts, numbered from 0: (H, W). ``colours``, uint8 (N, H, W, C)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    height, width = colours.shape[1:3]
    grid = _Grid.over(height, width)
    appearances = grid.appearances(colours)
    found = fcluster(linkage(appearances, "ward"), wanted, "maxclust")
    clusters = _numbered(found)
    count = int(clusters.max()) + 1
    if count > _REFINED or count * height * width > _REFINED_PIXELS:
        return grid.spread(clusters)
    sizes = np.bincount(clusters)
    centres = np.stack([np.bincount(clusters, weights=column) for column in appearances.T], axis=1) / sizes[:, None]
    nearest = _numbered(_nearest(colours, centres.astype(np.float32)))
    parts = _numbered(_with_their_edges(_without_crumbs(nearest), colours, grid.side))
    # Where there are few pixels, evening out may leave a single part.
    return parts if parts.any() else grid.spread(clusters)


def _numbered(parts: NDArray[Any]) -> Labels:
    """Number the parts that there are from 0 on."""
    numbers: Labels = np.unique(parts, return_inverse=True)[1].reshape(parts.shape)
    return numbers


@dataclass(frozen=True)
class _Grid:
    """Square cells of ``side`` pixels, those at the lower and right edge as large as is left."""

    height: int
    width: int
    side: int

    @classmethod
    def over(cls, height: int, width: int) -> _Grid:
        side = 1
        while -(-height // side) * -(-width // side) > LARGEST_GRID:
            side += 1
        return cls(height, width, side)

    def appearances(self, colours: Sources) -> NDArray[np.float32]:
        """Mean appearance and place of each cell: (cells, N * C + 2)."""
        rows, columns = np.arange(0, self.height, self.side), np.arange(0, self.width, self.side)
        pixels = np.outer(np.diff(rows, append=self.height), np.diff(columns, append=self.width))
        means = []
        for image in colours:
            sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0, dtype=np.uint32), columns, axis=1)
            means.append(sums.reshape(pixels.size, -1) / pixels.reshape(-1, 1))
        scaled = np.concatenate(means, axis=1) / (255 * np.sqrt(colours[..., 0, 0, :].size))
        places = np.stack(np.meshgrid(_places(len(rows)), _places(len(columns)), indexing="ij"), axis=-1)
        return np.concatenate([scaled, places.reshape(-1, 2)], axis=1).astype(np.float32)

    def spread(self, clusters: Labels) -> Labels:
        """Give each pixel its cell's cluster: (H, W)."""
        cells = clusters.reshape(-(-self.height // self.side), -(-self.width // self.side))
        return np.repeat(np.repeat(cells, self.side, axis=0), self.side, axis=1)[: self.height, : self.width]


def _places(count: int) -> NDArray[np.float32]:
    return ((np.arange(count) + 0.5) * (PLACE_WEIGHT / count)).astype(np.float32)


def _nearest(colours: Sources, centres: NDArray[np.float32]) -> Labels:
    """Each pixel's nearest centre: (H, W); a few rows at a time, to save memory."""
    height, width = colours.shape[1:3]
    nearest = np.empty((height, width), dtype=np.intp)
    rows = max(_AT_ONCE // (max(centres.shape) * width), 8)
    for first in range(0, height, rows):
        last = min(first + rows, height)
        # The rows above and below are averaged with them.
        start, stop = max(first - _EVENED, 0), min(last + _EVENED, height)
        distances = _distances(colours, centres, start, stop)
        nearest[first:last] = distances.argmin(axis=0)[first - start : last - start]
    return nearest


def _distances(colours: Sources, centres: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
    """How far some rows' pixels are from all centres: (parts, rows, W), averaged over `_EVENED` x `_EVENED` pixels.

    Squared distances, less what is the same for all centres.
    """
    from scipy.ndimage import uniform_filter

    count, height, width, channels = colours.shape
    scale = np.float32(255 * np.sqrt(count * channels))
    # (pixels, N * C), as the centres hold them
    values = np.moveaxis(colours[:, start:stop], 0, 2).reshape(-1, count * channels).astype(np.float32)
    means = centres[:, :-2]
    distances = means @ values.T
    distances *= np.float32(-2) / scale
    distances += (means**2).sum(axis=1, keepdims=True)
    shaped = distances.reshape(len(centres), stop - start, width)
    shaped += (_places(height)[start:stop, None] - centres[:, -2, None, None]) ** 2
    shaped += (_places(width)[None, :] - centres[:, -1, None, None]) ** 2
    evened: NDArray[np.float32] = uniform_filter(shaped, (0, _EVENED, _EVENED))
    return evened


def _without_crumbs(parts: Labels) -> Labels:
    """Give each piece of a part that is too small to stand out to the part nearest to it."""
    from scipy.ndimage import distance_transform_edt, find_objects, label

    smallest = _SMALLEST_PIECE * parts.size / (int(parts.max()) + 1)
    crumbs = np.zeros(parts.shape, dtype=np.bool_)
    for number, window in enumerate(find_objects(parts + 1)):
        pieces, _ = label(parts[window] == number)
        sizes = np.bincount(pieces.ravel())
        # A part that is small as a whole stays.
        if sizes[1:].max() >= smallest:
            crumbs[window] |= (sizes[pieces] < smallest) & (pieces > 0)
    rows, columns = distance_transform_edt(crumbs, return_distances=False, return_indices=True)
    cleaned: Labels = parts[rows, columns]
    return cleaned


def _with_their_edges(parts: Labels, colours: Sources, side: int) -> Labels:
    """Let each part grow a little over those in which the sources differ less.

    So the soft edge of what only some sources show, such as hair in front of a plain ground, stays with it; left
    on the ground, it would be drawn as a thin line of its own.
    """
    from scipy.ndimage import maximum_filter

    spread = variety(colours, parts) / np.maximum(np.bincount(parts.ravel()), 1)
    order = np.argsort(spread, kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    grown: Labels = order[maximum_filter(ranks[parts], 2 * round(side / 5) + 1)]
    return grown


def variety(colours: Sources, parts: Labels) -> Matrix:
    """How far the sources are from their mean, summed over the pixels of each part: (parts,)."""
    mean = colours.mean(axis=0, dtype=np.float32)
    total = sum(np.abs(image - mean).sum(axis=-1) for image in colours)
    sums: Matrix = np.asarray(np.bincount(parts.ravel(), weights=np.ravel(total)), dtype=np.float64)
    return sums
