"""A picture cell by cell: features of each cell held against a Gaussian of what is usual in that cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.cluster.vq import kmeans2

from monitor.api import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats

REGIONS: Final = "regions.safetensors"
# Keeps the logarithm of a cell that looks exactly as usual from outweighing all others.
DISTANCE_FLOOR: Final = 0.1
# How many crops a kind of scene needs: several times as many as a covariance has numbers.
LEAST_CROPS: Final = 100
VARIANCE_FLOOR: Final = 1e-6
# In squared intensity: well below what the rounding to 256 levels leaves in an even surface.
ENERGY_FLOOR: Final = np.float32(1e-6)
RESIDUAL_FEATURES: Final = 5


class Regions(NamedTuple):
    """What is usual in each of C cells, for K features, in each of M kinds of scene.

    ``mean``: float64 (M, C, K); ``precision``: float64 (M, C, K, K), the inverse covariances.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def learn(cls, features: Floats, *, shrinkage: float, kinds: int = 1, seed: int = 0) -> Self:
        """Fit a Gaussian to each cell, for each kind of scene, of the features of normal crops, (N, C, K).

        ``kinds``: into how many groups k-means parts the crops (a billet's head, a frozen crust, other light);
        groups too small to learn from are left out. ``shrinkage`` (0-1): the part of a cell's covariance that is
        taken from the mean of all cells'. Raises `DataError` without crops.
        """
        if len(features) == 0:
            raise DataError("there are no crops to learn what is usual from")
        values = features.astype(np.float64)
        learned = [_gaussians(group, shrinkage) for group in _groups(values, kinds, seed)]
        return cls(np.stack([mean for mean, _ in learned]), np.stack([precision for _, precision in learned]))

    def log_distances(self, features: Floats, *, trimmed: float = 0.25) -> NDArray[np.float64]:
        """``log(d + 0.1)`` of each cell, float64 (N, C), of features (N, C, K), in the kind of scene that is nearest.

        d is Mahalanobis' squared distance per feature, ``d = (x - m)' S^-1 (x - m) / K``: about 1 for a usual cell.
        """
        by_kind = self._by_kind(features)
        nearest = np.argmin([_trimmed_mean(logarithms, trimmed) for logarithms in by_kind], axis=0)
        logarithms: NDArray[np.float64] = np.stack(by_kind)[nearest, np.arange(len(features))]
        return logarithms

    def distance(self, features: Floats, *, trimmed: float = 0.25) -> Floats:
        """The trimmed geometric mean over the cells: float32 (N,).

        ``exp(mean_c log(d_c + 0.1))`` over all cells but the farthest, the share ``trimmed`` of them. Metal that breaks
        out, or a hole that is empty, changes most of what is seen; a tool's edge, a bar or a reflection changes a few
        cells very much, and these are the ones that are left out.
        """
        means = [_trimmed_mean(logarithms, trimmed) for logarithms in self._by_kind(features)]
        distances: Floats = np.exp(np.min(means, axis=0)).astype(np.float32)
        return distances

    def _by_kind(self, features: Floats) -> list[NDArray[np.float64]]:
        """``log(d + 0.1)`` of each cell in each kind of scene, float64 (N, C)."""
        # With the same number of all crops side by side in memory, numpy has long rows to work on.
        values = np.ascontiguousarray(features.transpose(1, 2, 0), dtype=np.float64)
        by_kind = []
        for mean, precision in zip(self.mean, self.precision, strict=True):
            difference = values - mean[:, :, None]
            squares = precision @ difference
            squares *= difference
            distances = squares.sum(axis=1).T / mean.shape[1]
            by_kind.append(np.log(distances + DISTANCE_FLOOR))
        return by_kind

    def save(self, folder: Path) -> None:
        """Write both arrays into ``folder``, without pickle."""
        # safetensors writes an array as it lies in memory, whatever its axes are.
        save_file({name: np.ascontiguousarray(array) for name, array in self._asdict().items()}, folder / REGIONS)

    @classmethod
    def load(cls, folder: Path, *, cells: int, features: int) -> Self:
        """Read them back; raises `DataError` when they are damaged or of other than these numbers."""
        try:
            regions = cls(**load_file(folder / REGIONS))
        except (SafetensorError, TypeError) as error:
            raise DataError(f"{folder / REGIONS}: is damaged: {error}; train the detector again") from error
        kinds = len(regions.mean)
        if (regions.mean.shape, regions.precision.shape) != (
            (kinds, cells, features),
            (kinds, cells, features, features),
        ):
            raise DataError(f"{folder / REGIONS}: belongs to other settings; train the detector again")
        return regions


def _groups(values: NDArray[np.float64], kinds: int, seed: int) -> list[NDArray[np.float64]]:
    """The crops of each kind of scene, by k-means on their features, (N, C, K), in units of their spread."""
    flat = values.reshape(len(values), -1)
    # k-means cannot begin with more centres than there are different crops.
    if kinds == 1 or len(np.unique(flat, axis=0)) < kinds * LEAST_CROPS:
        return [values]
    spread = flat.std(axis=0)
    standardized = (flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)
    _, labels = kmeans2(standardized, kinds, iter=20, minit="++", seed=seed)
    groups = [values[labels == kind] for kind in range(kinds)]
    return [group for group in groups if len(group) >= LEAST_CROPS] or [values]


def _gaussians(values: NDArray[np.float64], shrinkage: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (C, K) and shrunk inverse covariance (C, K, K) of each cell, of values (N, C, K)."""
    mean = values.mean(axis=0)
    difference = (values - mean).transpose(1, 2, 0)
    covariance = difference @ difference.transpose(0, 2, 1) / max(len(values) - 1, 1)
    shrunk = (1 - shrinkage) * covariance + shrinkage * covariance.mean(axis=0)
    return mean, np.linalg.inv(shrunk + VARIANCE_FLOOR * np.eye(values.shape[2]))


def _trimmed_mean(logarithms: NDArray[np.float64], trimmed: float) -> NDArray[np.float64]:
    """The mean over the cells, (N, C), without the farthest of them: (N,)."""
    kept = max(round(logarithms.shape[1] * (1 - trimmed)), 1)
    means: NDArray[np.float64] = np.sort(logarithms, axis=1)[:, :kept].mean(axis=1)
    return means


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
    """The pixels of pictures, float32 (N, h + 2, w + 2), but for the border, with the four around each of them.

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
        """Memory for so many values of each pixel, as pictures and as rows."""
        pictures = np.empty((number, *self._shape), dtype=np.float32)
        rows = pictures.reshape(number, -1)
        rows[:, self._count :] = 0
        return pictures, rows[:, : self._count]


def residual_features(view: Floats, reconstruction: Floats, cell: int) -> Floats:
    """Features of what a network could not restore, float32 (N, C, 5); both pictures float32 (N, H, W, 3), 0-1.

    With e = view - reconstruction, for each cell: ``log(mean e^2)``; ``log(mean |grad L|^2)`` of the view's
    brightness L, because more texture leaves more error; and the mean of e's brightness ``(r + g + b) / 3`` and
    opponent colours ``r - g``, ``b - (r + g) / 2``, which keep the sign that the square loses. A smooth surface has
    too little error for its place, a strange colour an error in one direction: the distance from the usual is
    two-sided and sees both.
    """
    # Colour by colour, because numpy is fast with long rows of numbers.
    error = np.ascontiguousarray(np.moveaxis(view, 3, 0))
    brightness = error[0] + error[1]
    brightness += error[2]
    error = error - np.moveaxis(reconstruction, 3, 0)
    red, green, blue = pool(error, cell)
    error *= error
    error[0] += error[1]
    error[0] += error[2]
    down, across = Neighbours(padded(brightness)).squared_slopes()
    down += across
    features = np.empty((RESIDUAL_FEATURES, *red.shape), dtype=np.float32)
    np.divide(pool(error[0], cell), 3, out=features[0])
    # The slopes are those of three times L over two pixels.
    np.divide(pool_neighbours(down, cell), 36, out=features[1])
    features[:2] += ENERGY_FLOOR
    np.log(features[:2], out=features[:2])
    np.divide(red + green + blue, 3, out=features[2])
    np.subtract(red, green, out=features[3])
    np.subtract(blue, (red + green) / 2, out=features[4])
    return features.transpose(1, 2, 0)
