"""How well scores and a threshold separate proliv from ne_proliv, with exact intervals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.errors import DataError
from monitor.formulas.weights import effective_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The confidence level of all intervals.
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a threshold does to ``n`` labelled crops; positive = proliv. Figures of a class without crops are None.

    ``tp``, ``fp``, ``tn``, ``fn``: the confusion matrix. ``tpr``: the caught share of proliv; ``tnr``: the passed
    share of ne_proliv; ``balanced_accuracy``: their mean; ``roc_auc``: the chance that a proliv crop scores higher
    than a ne_proliv crop. ``tpr_low``, ``tpr_high``, ``tnr_low`` and ``tnr_high`` are the ends of the exact
    (Clopper-Pearson) 95 % intervals. All rates lie in 0-1.
    """

    n: int
    tp: int
    fp: int
    tn: int
    fn: int
    tpr: float | None
    tnr: float | None
    balanced_accuracy: float | None
    roc_auc: float | None
    tpr_low: float | None
    tpr_high: float | None
    tnr_low: float | None
    tnr_high: float | None
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return asdict(self)


def evaluate(
    scores: NDArray[np.floating[Any]], labels: Sequence[bool] | NDArray[np.bool_], threshold: float
) -> Evaluation:
    """Compare what a threshold decides on scores, float (N,), with N labels, True = proliv.

    A crop is proliv when its score, as float64, is >= the threshold. Raises `DataError` when scores and labels are not
    one to one, or when a number is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.bool_)
    if values.ndim != 1 or values.shape != truth.shape:
        raise DataError(f"{values.size} scores and {truth.size} labels do not belong together; give one label a score")
    if not (np.isfinite(values).all() and np.isfinite(threshold)):
        raise DataError(f"the scores and the threshold (here {threshold}) have to be finite numbers")
    decided = values >= threshold
    tp, fn = int((decided & truth).sum()), int((~decided & truth).sum())
    fp, tn = int((decided & ~truth).sum()), int((~decided & ~truth).sum())
    tpr, tnr = _share(tp, tp + fn), _share(tn, tn + fp)
    tpr_low, tpr_high = interval(tp, tp + fn)
    tnr_low, tnr_high = interval(tn, tn + fp)
    return Evaluation(
        n=len(values),
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        tpr=tpr,
        tnr=tnr,
        balanced_accuracy=None if tpr is None or tnr is None else (tpr + tnr) / 2,
        roc_auc=roc_auc(values[~truth], values[truth]),
        tpr_low=tpr_low,
        tpr_high=tpr_high,
        tnr_low=tnr_low,
        tnr_high=tnr_high,
        threshold=float(threshold),
    )


def interval(successes: int, trials: int) -> tuple[float, float] | tuple[None, None]:
    """The exact two-sided 95 % interval of a rate (Clopper and Pearson, Biometrika 26, 1934); None without trials.

    With k of n and a = 0.05 its ends are the a/2 quantile of Beta(k, n - k + 1), or 0 for k = 0, and the 1 - a/2
    quantile of Beta(k + 1, n - k), or 1 for k = n. For 8 of 10 they are 0.4439 and 0.9748.
    """
    if trials == 0:
        return None, None
    return _clopper_pearson(successes, trials - successes)


def trials_without_a_miss(lower: float) -> int:
    """How many trials, each of them a success, lift the lower end of `interval` to ``lower``, 0 < lower < 1.

    For n of n it is ``(a/2)^(1/n)``, so n is ``log(a/2) / log(lower)``, rounded up. For 0.98 that is 183.
    """
    return max(1, math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(lower)))


def _clopper_pearson(successes: float, failures: float) -> tuple[float, float]:
    """The formula of `interval`, which also holds for fractions of crops; not both may be 0."""
    # Imported here because it takes more than a tenth of a second, and only evaluations need it.
    from scipy.special import betaincinv

    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, failures + 1, tail))
    high = 1.0 if failures == 0 else float(betaincinv(successes + 1, failures, 1 - tail))
    return low, high


@dataclass(frozen=True, slots=True)
class WeightedRate:
    """The share of weighted crops for which something is true, with its 95 % interval, all in 0-1.

    ``crops``: how many there are. ``effective``: how many equally weighted ones say as much, at most ``crops``.
    """

    rate: float
    low: float
    high: float
    crops: int
    effective: float

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return asdict(self)


def weighted_rate(hits: Sequence[bool], weights: Sequence[float]) -> WeightedRate | None:
    """The rate of hits among crops of which each stands for ``weights`` crops, with its interval; None without crops.

    The rate is ``p = (sum of the hits' w) / (sum of w)``, the ratio estimator of survey sampling. Its interval is that
    of `interval` with ``p n_eff`` of ``n_eff`` crops (E. L. Korn, B. I. Graubard, Confidence intervals for proportions
    with small expected number of positive counts estimated from survey data, Survey Methodology 24 (1998) 193-201),
    where ``n_eff`` is the `effective_size`. For equal weights both are exactly those of unweighted crops.

    Raises `DataError` when hits and weights are not one to one, or when a weight is not positive and finite.
    """
    if len(hits) != len(weights):
        raise DataError(
            f"{len(hits)} decisions and {len(weights)} weights do not belong together; give one weight a decision"
        )
    if not all(0 < weight < np.inf for weight in weights):
        raise DataError("the weights of crops have to be positive, finite numbers")
    if not weights:
        return None
    # In units of the largest, equal weights are exactly 1, and nothing overflows.
    scaled = np.asarray(weights, dtype=np.float64) / max(weights)
    hit = np.asarray(hits, dtype=np.bool_)
    total, effective = float(scaled.sum()), effective_size(scaled)
    hit_weight, missed_weight = float(scaled[hit].sum()), float(scaled[~hit].sum())
    low, high = _clopper_pearson(hit_weight * effective / total, missed_weight * effective / total)
    return WeightedRate(hit_weight / total, low, high, len(weights), effective)


def roc_auc(normal: NDArray[np.float64], proliv: NDArray[np.float64]) -> float | None:
    """The chance that a proliv crop scores higher than a normal one, ties counted half; None when one class is empty.

    Scores: float64, (N,) and (M,). With R the sum of the proliv crops' ranks among all, equal scores sharing their
    mean rank: ``(R - M (M + 1) / 2) / (N M)`` (Mann and Whitney, Annals of Mathematical Statistics 18, 1947).
    """
    if not len(normal) or not len(proliv):
        return None
    _, positions, counts = np.unique(np.concatenate([normal, proliv]), return_inverse=True, return_counts=True)
    # Ranks count from 1: a run of equal scores ends at its cumulated count, and its mean rank lies half a run before.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[positions]
    least = len(proliv) * (len(proliv) + 1) / 2
    return float((ranks[len(normal) :].sum() - least) / (len(normal) * len(proliv)))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
