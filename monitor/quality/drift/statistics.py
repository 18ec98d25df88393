"""The formulas of drift: a test of hourly medians, and how far the scores moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.store.summaries import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.store.summaries import Summary


# The probabilities of the quantiles that a summary holds, and where three of them are among them.
PROBABILITIES: Final = np.linspace(0, 1, QUANTILES)
LOWER_QUARTILE, MEDIAN, UPPER_QUARTILE = (QUANTILES // 4, QUANTILES // 2, QUANTILES // 4 * 3)

# The distance between the quartiles of a normal distribution with standard deviation 1.
QUARTILES_OF_NORMAL: Final = 1.349

# Bins of the stability index.
BINS: Final = 10
# Crops that are added to each side of the stability index, so that an empty bin does not make it infinite.
PRIOR_CROPS: Final = 5.0
# A relative difference up to this comes from the order of additions alone.
ROUNDING: Final = 1e-12


def hourly_test(
    baseline: NDArray[np.float64], recent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's t and its two-sided p for medians of hours, float64 (..., B) and (..., R), along the last axis; B >= 2.

    With m the mean of the R recent medians, and B, M and s the number, mean and standard deviation (B - 1) of the
    baseline's: ``t = (m - M) / (s sqrt(1 / R + 1 / B))``, with B - 1 degrees of freedom when hours are independent
    and normal: the prediction interval of the mean of R further values (G. J. Hahn, W. Q. Meeker, Statistical
    Intervals, Wiley, 1991). The median and the MAD do not take the place of M and s: their ratio has no Student
    distribution, and at levels of one in some ten thousand the rate of false alarms would be unknown. Without any
    spread, t is 0 for the same value and infinite for another.
    """
    # Imported here because it takes more than a tenth of a second, and only this needs it.
    from scipy.special import stdtr

    hours, recent_hours = baseline.shape[-1], recent.shape[-1]
    middle = baseline.mean(axis=-1)
    difference = recent.mean(axis=-1) - middle
    difference = np.where(np.abs(difference) <= ROUNDING * np.abs(middle), 0.0, difference)
    error = baseline.std(axis=-1, ddof=1) * np.sqrt(1 / recent_hours + 1 / hours)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, difference / error)
    return t, 2 * stdtr(hours - 1, -np.abs(t))


def on_even_scale(
    baseline: NDArray[np.float64], recent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Medians of hours, float64 (B,) and (R,), as logarithms where all are positive, else unchanged.

    Errors and distances are positive, and other light multiplies them rather than adding to them: over the hours they
    are skewed, and a test made for a normal distribution finds drifts dozens of times too often in their tail. Their
    logarithms are about symmetric. Where the hours differ little, both scales give the same result.
    """
    if (baseline > 0).all() and (recent > 0).all():
        return np.log(baseline), np.log(recent)
    return baseline, recent


def stability_index(baseline: Sequence[Summary], recent: Sequence[Summary]) -> float:
    """The population stability index of the recent crops against the baseline's, over `BINS` bins.

    ``PSI = sum over the bins of (a - e) ln(a / e)`` with a and e the shares of the recent and of the baseline's crops
    in a bin: Kullback and Leibler's divergence J (On information and sufficiency, Annals of Mathematical Statistics
    22 (1951) 79-86), under the name that credit scoring gave it (N. Siddiqi, Credit Risk Scorecards, Wiley, 2006).
    The inner edges of the bins are the deciles of the baseline, as the crop-weighted mean of its hours' deciles; shares
    come from the hours' quantiles, linear in between. `PRIOR_CROPS` are added to the baseline, evenly over the bins,
    and to the recent crops, distributed like the baseline, so that few crops do not look like a drift; n crops that
    did not drift still give up to about 9 / n.
    """
    # Where many scores are the same, so are the edges; there is nothing to count between those.
    edges = np.unique(pooled_quantiles(baseline)[2:-1:2])
    even = np.full(len(edges) + 1, 1 / (len(edges) + 1))
    expected = _bin_shares(baseline, edges, even)
    actual = _bin_shares(recent, edges, expected)
    return float(((actual - expected) * np.log(actual / expected)).sum())


def pooled_quantiles(hours: Sequence[Summary]) -> NDArray[np.float64]:
    """The crop-weighted mean of the hours' quantiles, float64 (`QUANTILES`,)."""
    return np.average([hour.quantiles for hour in hours], axis=0, weights=[hour.crops for hour in hours])


def median_shift(baseline: Sequence[Summary], recent: Sequence[Summary]) -> float:
    """How far the median moved, in robust sigmas of the baseline's crops, ``(q75 - q25) / 1.349``."""
    before, after = pooled_quantiles(baseline), pooled_quantiles(recent)
    sigma = (before[UPPER_QUARTILE] - before[LOWER_QUARTILE]) / QUARTILES_OF_NORMAL
    moved = float(after[MEDIAN] - before[MEDIAN])
    if sigma > 0:
        return moved / float(sigma)
    return 0.0 if abs(moved) <= ROUNDING * abs(before[MEDIAN]) else float(np.copysign(np.inf, moved))


def medians(hours: Sequence[Summary]) -> NDArray[np.float64]:
    """The median of each of N hours, float64 (N,)."""
    return np.array([hour.quantiles[MEDIAN] for hour in hours], dtype=np.float64)


def _bin_shares(
    hours: Sequence[Summary], edges: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of the hours' and the prior crops in each bin between the inner edges, float64 (len(edges) + 1,)."""
    crops = np.array([hour.crops for hour in hours], dtype=np.float64)
    # Where a value repeats, np.interp takes its last probability, which is the share of crops at or below it.
    below = np.array([np.interp(edges, hour.quantiles, PROBABILITIES, left=0.0, right=1.0) for hour in hours])
    counts = crops @ np.diff(below, axis=1, prepend=0, append=1)
    shares: NDArray[np.float64] = (counts + PRIOR_CROPS * prior) / (crops.sum() + PRIOR_CROPS)
    return shares
