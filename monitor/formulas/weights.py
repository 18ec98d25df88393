"""Weighted samples: their effective size and their percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


# The scores of a calibration are kept as their percentiles 0, 1, ..., 100.
PERCENTILES: Final = 101


def effective_size(weights: NDArray[np.float64]) -> float:
    """How many crops of equal weight say as much as those of these weights, float64 (N,), positive; 0 for no crops.

    ``(sum w)^2 / sum w^2`` (L. Kish, Survey Sampling, Wiley, 1965), in units of the largest weight: then equal weights
    give exactly N, and nothing overflows.
    """
    if not len(weights):
        return 0.0
    scaled = weights / weights.max()
    return float(scaled.sum()) ** 2 / float((scaled**2).sum())


def percentiles(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """The percentiles 0, 1, ..., 100 of scores, float64 (N,), with weights, float64 (N,); empty for no scores.

    They are linear between neighbours. The i-th of the sorted scores lies at the share ``(W_i - w_i) / (W_n - w_n)``
    with W the cumulated weights w; with equal weights these are the usual shares ``(i - 1) / (n - 1)``.
    """
    if not len(scores):
        return []
    order = np.argsort(scores)
    ordered, sizes = scores[order], weights[order]
    below = np.cumsum(sizes) - sizes
    shares = below / below[-1] if below[-1] > 0 else np.zeros(len(below))
    return [float(one) for one in np.interp(np.linspace(0, 1, PERCENTILES), shares, ordered)]
