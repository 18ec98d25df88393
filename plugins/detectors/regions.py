"""Compares the features of each cell of a picture with a Gaussian of what is usual in that cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

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


class Regions(NamedTuple):
    """What is usual in each of C cells, for K features, in each of M kinds of scene.

    ``mean``: float64 (M, C, K); ``precision``: float64 (M, C, K, K), the inverse covariances.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def learn(cls, features: Floats, *, shrinkage: float, kinds: int = 1, seed: int = 0) -> Self:
        """Fit a Gaussian to each cell, for each kind of scene, of the features of normal crops, (N, C, K).

        ``kinds``: into how many groups k-means divides the crops (a billet's head, a frozen crust, other light);
        groups too small to learn from are left out. ``shrinkage`` (0-1): the part of a cell's covariance that is
        taken from the mean of all cells'. Raises `DataError` without crops.
        """
        if len(features) == 0:
            raise DataError("there are no crops to learn what is usual from")
        values = features.astype(np.float64)
        learned = [_gaussians(group, shrinkage) for group in _groups(values, kinds, seed)]
        return cls(np.stack([mean for mean, _ in learned]), np.stack([precision for _, precision in learned]))

    def log_distances(self, features: Floats, *, trimmed: float = 0.25) -> NDArray[np.float64]:
        """``log(d + 0.1)`` of each cell, float64 (N, C), of features (N, C, K), in the nearest kind of scene.

        d is Mahalanobis' squared distance per feature, ``d = (x - m)' S^-1 (x - m) / K``: about 1 for a usual cell.
        """
        by_kind = self._by_kind(features)
        nearest = np.argmin([_trimmed_mean(logarithms, trimmed) for logarithms in by_kind], axis=0)
        logarithms: NDArray[np.float64] = np.stack(by_kind)[nearest, np.arange(len(features))]
        return logarithms

    def distance(self, features: Floats, *, trimmed: float = 0.25) -> Floats:
        """The trimmed geometric mean over the cells: float32 (N,).

        ``exp(mean_c log(d_c + 0.1))`` over all cells but the farthest, of which there is the share ``trimmed``. Metal
        that breaks out, or an empty hole, changes most of what is seen; a tool's edge, a bar or a reflection changes a
        few cells very much, and these are left out.
        """
        distances: Floats = np.exp(self.log_distance(features, trimmed=trimmed)).astype(np.float32)
        return distances

    def log_distance(self, features: Floats, *, trimmed: float = 0.25) -> NDArray[np.float64]:
        """The logarithm of `distance`: float64 (N,)."""
        means = [_trimmed_mean(logarithms, trimmed) for logarithms in self._by_kind(features)]
        least: NDArray[np.float64] = np.min(means, axis=0)
        return least

    def _by_kind(self, features: Floats) -> list[NDArray[np.float64]]:
        """``log(d + 0.1)`` of each cell in each kind of scene, float64 (N, C)."""
        # With one number of all crops side by side in memory, numpy has long rows to work on.
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
        (folder / REGIONS).write_bytes(
            save({name: np.ascontiguousarray(array) for name, array in self._asdict().items()})
        )

    @classmethod
    def load(cls, folder: Path, *, cells: int, features: int) -> Self:
        """Read them back; raises `DataError` when they are damaged or have other numbers of cells or features."""
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
    # Imported here because it takes longer than loading a model and its crops, and only training needs it.
    from scipy.cluster.vq import kmeans2

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
