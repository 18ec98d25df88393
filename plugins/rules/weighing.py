"""What the rules share: settings, the evidence that they require, weighted quantiles, and every cut between scores.

Weights count as in `monitor.api.ScoreEvidence`; only their proportions within a class matter here. Sums of weights
that are not whole numbers carry a rounding error, so two of them are called equal when they differ by less than
`TOLERANCE` of the whole; with equal weights sums are whole numbers and nothing is rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from monitor.api import EvidenceMissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import ScoreArray, ScoreEvidence

# Shares of a class that differ by less are the same. A crop would have to weigh less than that to be overlooked.
TOLERANCE: Final = 1e-12


class RuleSettings(BaseModel):
    """The settings of a rule; by itself, of one that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def require(rule: str, evidence: ScoreEvidence, *, normal: bool = False, proliv: bool = False) -> None:
    """Raise `EvidenceMissingError` when the evidence lacks a kind of scores that the rule needs."""
    needed = {"ne_proliv": evidence.normal} if normal else {}
    needed |= {"proliv": evidence.proliv} if proliv else {}
    missing = [kind for kind, scores in needed.items() if len(scores) == 0]
    if missing:
        raise EvidenceMissingError(
            f"the rule {rule!r} needs at least one labelled crop of {' and '.join(needed)}; there are "
            f"{len(evidence.normal)} of ne_proliv and {len(evidence.proliv)} of proliv: add crops of "
            f"{' and '.join(missing)}"
        )


def effective_count(weights: ScoreArray) -> float:
    """How many crops of equal weight carry as much information as crops of these weights, float64 (N,); from 1 to N.

    ``(w_1 + ... + w_N)^2 / (w_1^2 + ... + w_N^2)``. Source: L. Kish, Survey Sampling (1965). Weights 1, 1, 2 count
    as 16 / 6 = 2.67.
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def quantile(scores: ScoreArray, weights: ScoreArray, share: float) -> float:
    """The weighted quantile of float64 (N,) scores, N > 0, at ``share`` (0-1); between the extreme scores.

    With equal weights it is numpy's, linear between neighbours (type 7 of Hyndman and Fan). With others it is
    ``W_1 s_1 + ... + W_N s_N`` over the ascending scores, where W_i is the part of the interval from
    ``(n - 1) share / n`` to ``((n - 1) share + 1) / n`` that lies between the cumulated weights before and after
    s_i, as shares of all weight, times n, with n the `effective_count`. Source: A. Akinshin, Weighted quantile
    estimators (2023), arXiv:2304.07265. A crop of hardly any weight hardly matters, even at the very end.

    Worked example: scores 1, 2, 3 with the weights 1, 1, 2 have n = 8/3. For the median the interval goes from 5/16
    to 11/16; 2 owns it up to 1/2, half of it, and 3 the other half: 2.5.
    """
    if (weights == weights[0]).all():
        return float(np.quantile(scores, share))
    order = np.argsort(scores, kind="stable")
    cumulated = np.cumsum(weights[order])
    count = effective_count(weights)
    covered = np.clip(cumulated / cumulated[-1] * count - (count - 1) * share, 0, 1)
    value = float(np.diff(covered / covered[-1], prepend=0) @ scores[order])
    return within(value, scores)


def within(value: float, scores: ScoreArray) -> float:
    """A mean or quantile of the scores, without the rounding that would put it outside of them."""
    return min(max(value, float(scores.min())), float(scores.max()))


def just_above(scores: ScoreArray, weights: ScoreArray, needed: float) -> float | None:
    """The lowest threshold with scores of at least the weight ``needed`` below it; None where they weigh less.

    It is the floating-point number after one of the scores, because a crop passes only when its score is below.
    Scores 1, 2, 2 of weight 1 and needed = 1.5 give the number after 2.
    """
    order = np.argsort(scores, kind="stable")
    cumulated = np.cumsum(weights[order])
    row = int(np.searchsorted(cumulated, needed - TOLERANCE * cumulated[-1]))
    return None if row == len(scores) else float(np.nextafter(scores[order][row], np.inf))


@dataclass(frozen=True)
class Cuts:
    """Every way to cut the evidence in two: K cuts, each with one of the distinct scores as its threshold.

    ``scores``, float64 (K,): ascending; the first cuts below everything, so that all crops alarm. ``caught``,
    float64 (K,): the weight of the proliv scores at or above each. ``passed``, float64 (K,): the weight of the normal
    scores below it. ``proliv`` and ``normal``: the weight of all.
    """

    scores: ScoreArray
    caught: ScoreArray
    passed: ScoreArray
    proliv: float
    normal: float

    @classmethod
    def of(cls, evidence: ScoreEvidence) -> Cuts:
        """Count them all; the evidence has scores of both kinds."""
        scores = np.unique(np.concatenate([evidence.normal, evidence.proliv]))
        passed = _weight_below(scores, evidence.normal, evidence.normal_weights)
        missed = _weight_below(scores, evidence.proliv, evidence.proliv_weights)
        proliv, normal = float(evidence.proliv_weights.sum()), float(evidence.normal_weights.sum())
        return cls(scores, proliv - missed, passed, proliv, normal)

    @property
    def tpr(self) -> ScoreArray:
        """The caught share of proliv, float64 (K,)."""
        return self.caught / self.proliv

    @property
    def fpr(self) -> ScoreArray:
        """The share of normal that alarms, float64 (K,)."""
        return (self.normal - self.passed) / self.normal

    def best(self, merit: NDArray[np.float64], whole: float) -> float:
        """The threshold in the middle of the best interval; ``merit``, float64 (K,), of cuts, in parts of ``whole``.

        Every threshold in an interval (a, b] between two neighbouring scores cuts alike. Of the best interval this
        is the geometric mean of the ends, ``sqrt(a b)``, or their middle where a <= 0: both classes get the same room
        in proportion, as suits reconstruction errors, which spread over orders of magnitude, and the choice is the
        same whether errors are squared or not. Where several intervals are equally good the widest (by the ratio of
        its ends) wins, for it leaves the most room; of equally wide ones the lowest, because a missed proliv is worse
        than a false alarm. When nothing beats calling all crops alike, all of them alarm, loudly, instead of none.
        """
        best = np.flatnonzero(merit >= merit.max() - TOLERANCE * whole).tolist()
        if best[0] == 0:
            # Cutting below every score is as good as any other cut: everything alarms.
            return float(self.scores[0])
        intervals = [(float(self.scores[index - 1]), float(self.scores[index])) for index in best]
        by_ratio = intervals[0][0] > 0
        low, high = max(intervals, key=lambda ends: math.log(ends[1] / ends[0]) if by_ratio else ends[1] - ends[0])
        middle = geometric_middle(low, high)
        # Between two neighbouring floating-point numbers there is no middle; only the upper end cuts there.
        return middle if low < middle < high else high


def geometric_middle(low: float, high: float) -> float:
    """``sqrt(low high)``, or the plain middle where one is <= 0; roots first, because the product may overflow."""
    return math.sqrt(low) * math.sqrt(high) if min(low, high) > 0 else low / 2 + high / 2


def _weight_below(thresholds: ScoreArray, scores: ScoreArray, weights: ScoreArray) -> ScoreArray:
    """The weight of the scores below each threshold, float64 (K,)."""
    order = np.argsort(scores, kind="stable")
    cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
    below: ScoreArray = cumulated[np.searchsorted(scores[order], thresholds, side="left")]
    return below
