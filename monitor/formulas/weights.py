"""Weighted samples: their effective size and percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


PERCENTILES: Final = 101
"""The scores of a calibration are kept as their percentiles 0, 1, ..., 100."""


def effective(weights: NDArray[np.float64]) -> float:
    """How many crops of equal weight say as much as those of these weights, float64 (N,): ``(sum w)^2 / sum w^2``.

    Source: L. Kish, Survey Sampling (1965).
    """
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def percentiles(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """The percentiles 0, 1, ..., 100 of weighted float64 (N,) scores, linear between neighbours; none of no scores.

    The i-th of the sorted scores lies at the share ``(W_i - w_i) / (W_n - w_n)`` with W the cumulated weights w; with
    equal weights these are the usual shares ``(i - 1) / (n - 1)``.
    """
    if not len(scores):
        return []
    order = np.argsort(scores)
    ordered, sizes = scores[order], weights[order]
    below = np.cumsum(sizes) - sizes
    shares = below / below[-1] if below[-1] > 0 else np.zeros(len(below))
    return [float(one) for one in np.interp(np.linspace(0, 1, PERCENTILES), shares, ordered)]
