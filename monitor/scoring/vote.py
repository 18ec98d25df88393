"""One final decision on a crop from the scores of its models. Arithmetic alone: no files, no store, no networks.

In every mode the result is a score and a threshold, proliv when score >= threshold, so that ROC curves, intervals and
exports mean the same for all models together as for one of them.

- ``primary``: the score and the threshold of the first model; where it refused the crop, of the next that did not.
- ``any``, ``all``, ``majority``: the vote of the models that judged the crop, each with the margin
  ``m = (score - threshold) / scale``, which is >= 0 exactly when the model says proliv. The score is the k-th largest
  margin and the threshold 0: k = 1 (the maximum) for any, k = n (the minimum) for all, k = floor(n / 2) + 1 for
  majority, because at least k models say proliv exactly when the k-th largest margin is >= 0. So the vote is never
  altered, and the score still says how close it was. A tie of two is no majority. Source of the maximum, minimum and
  vote as rules of combination: J. Kittler, M. Hatef, R. Duin, J. Matas, On combining classifiers, IEEE Transactions
  on Pattern Analysis and Machine Intelligence 20 (1998) 226-239. The scale makes margins of different detectors
  comparable; see `ScoreScale`.
- ``rank-mean``: the mean over the models of the score's rank among the scores of the model's calibration, and as its
  threshold the mean of the ranks of the models' thresholds. Ranks, unlike scores, have the same unit for every
  detector; source: T. K. Ho, J. Hull, S. Srihari, Decision combination in multiple classifier systems, IEEE
  Transactions on Pattern Analysis and Machine Intelligence 16 (1994) 66-75. One model that is sure can outvote two
  that hesitate. Where all models agree, it agrees with them, because a rank grows with the score.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from monitor.configuration.settings import Decide

    Floats = NDArray[np.float64]

# Under these keys a calibration's evidence holds `PERCENTILES` scores each, or none where there were no crops.
NORMAL_SCORES: Final = "normal_percentiles"
PROLIV_SCORES: Final = "proliv_percentiles"

LARGEST: Final = np.finfo(np.float64).max

# Looked up here once: of an enumeration that takes as long as a whole decision.
_PROLIV: Final = Label.PROLIV
_NE_PROLIV: Final = Label.NE_PROLIV


class FinalDecision(NamedTuple):
    """The final decision on one crop; ``decided_by`` is the mode that made it, which gives the score its unit."""

    verdict: Label
    score: float
    threshold: float
    decided_by: Decide


@dataclass(frozen=True)
class FinalDecisions:
    """The final decisions on N crops.

    ``scores`` and ``thresholds``: float64 (N,), both NaN for a crop that no model judged. ``decided_by``: the mode.
    """

    scores: Floats
    thresholds: Floats
    decided_by: Decide

    @property
    def made(self) -> NDArray[np.bool_]:
        """bool (N,): which crops have a final decision."""
        return ~np.isnan(self.scores)

    def take(self, rows: Sequence[int]) -> FinalDecisions:
        """Those on some of the crops, in this order."""
        return FinalDecisions(self.scores[rows], self.thresholds[rows], self.decided_by)

    @cached_property
    def listed(self) -> list[FinalDecision | None]:
        """The decisions one by one; None for a crop that no model judged."""
        pairs = zip(self.scores.tolist(), self.thresholds.tolist(), strict=True)
        return [
            None if isnan(score) else FinalDecision(verdict(score, threshold), score, threshold, self.decided_by)
            for score, threshold in pairs
        ]


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Where a model's scores lie on the crops that its threshold was chosen from.

    ``scale``: the unit of margins, positive: the distance from the median to the 99th percentile of the held-out
    normal scores. It is how far normal crops go up, which is what false alarms come from; the distance to the
    threshold would do as well, but a threshold may be set by hand. 1 where nothing is known.
    ``scores``, ``ranks``: the distinct kept percentiles of both classes, increasing, and their ranks; empty unless
    both classes are known.
    """

    scale: float = 1.0
    scores: tuple[float, ...] = ()
    ranks: tuple[float, ...] = ()

    @classmethod
    def of(cls, evidence: Mapping[str, Any]) -> ScoreScale:
        """Read a calibration's evidence; one from before percentiles were kept gives the scale 1 and no ranks."""
        normal, proliv = (sorted(evidence.get(key) or ()) for key in (NORMAL_SCORES, PROLIV_SCORES))
        scores = sorted({*normal, *proliv}) if normal and proliv else []
        ranks = [(_middle_rank(normal, score) + _middle_rank(proliv, score)) / 2 for score in scores]
        return cls(_scale(normal), tuple(scores), tuple(ranks))

    def rank(self, scores: ArrayLike) -> Floats:
        """The ranks of scores, float64 of any shape, within 0-1: the mean of the ranks in the normal and proliv scores.

        At a kept percentile the rank in one class is the share of the class's percentiles below it and half of the
        share equal to it, as equal ranks are usually shared (M. G. Kendall, Biometrika 33 (1945) 239-251). Between two
        neighbouring percentiles of either class it grows linearly, so also in the gap between two classes that do
        not overlap, which is where the threshold lies.
        Beyond the outermost it goes on towards 0 and 1, by ``w / (w + d)`` with the distance d and the width w of all
        percentiles: were it cut off there, a score below a far threshold would get the threshold's rank.
        NaN stays NaN.
        """
        score = np.asarray(scores, dtype=np.float64)
        knots, ranks = np.array(self.scores), np.array(self.ranks)
        lowest, highest = knots[0], knots[-1]
        width = highest - lowest or 1.0
        below = ranks[0] * (width / (width + lowest - np.minimum(score, lowest)))
        # Rounding must not put a higher score below a lower one, here and further down.
        above = np.maximum(ranks[-1], 1 - (1 - ranks[-1]) * (width / (width + np.maximum(score, highest) - highest)))
        if len(knots) == 1:
            return np.asarray(np.where(score < lowest, below, above))
        right = np.clip(np.searchsorted(knots, score, side="right"), 1, len(knots) - 1)
        # What overflows or has no value lies beyond the outermost percentiles, and is not taken from here.
        with np.errstate(over="ignore", invalid="ignore"):
            share = (score - knots[right - 1]) / (knots[right] - knots[right - 1])
            between = np.minimum(ranks[right], ranks[right - 1] + share * (ranks[right] - ranks[right - 1]))
        return np.asarray(np.where(score < lowest, below, np.where(score >= highest, above, between)))


def verdict(score: float, threshold: float) -> Label:
    """Proliv when the score reaches the threshold."""
    return _PROLIV if score >= threshold else _NE_PROLIV


def combine(decide: Decide, scores: Floats, thresholds: Floats, scales: Sequence[ScoreScale]) -> FinalDecisions:
    """Make the final decisions on N crops from the scores of M models, float64 (N, M), NaN where a model refused.

    ``thresholds``: float64 (M,), or (N, M) where those of the crops differ. ``scales``: M, one for each model.
    """
    thresholds = np.broadcast_to(thresholds, scores.shape)
    judged = ~np.isnan(scores)
    if decide == "primary":
        first = judged.argmax(axis=1)[:, None]
        final, limit = (np.take_along_axis(column, first, axis=1)[:, 0] for column in (scores, thresholds))
    elif decide == "rank-mean":
        final = _mean_rank(scores, judged, scales)
        limit = _mean_rank(thresholds, judged, scales)
    else:
        margins = _margins(scores, thresholds, scales)
        count = judged.sum(axis=1)
        needed = {"any": np.minimum(count, 1), "all": count, "majority": count // 2 + 1}[decide]
        # The largest first, and NaN behind all others. A crop that no model judged takes one of its NaNs.
        ordered = -np.sort(-margins, axis=1)
        final = np.take_along_axis(ordered, np.maximum(needed - 1, 0)[:, None], axis=1)[:, 0]
        limit = np.zeros(len(final))
    return FinalDecisions(final, np.where(np.isnan(final), np.nan, limit), decide)


def unusual(scores: Floats, thresholds: Floats, final: FinalDecisions) -> NDArray[np.bool_]:
    """bool (N,): which of N crops are decided ne_proliv although at least one model calls them proliv.

    It is how a kind of bleed-out that the other models do not know would show first. ``scores`` and ``thresholds``: as
    for `combine`. A model that refused a crop calls it nothing, and a crop that no model judged is not unusual.
    """
    # A comparison with NaN is false.
    return np.asarray((final.scores < final.thresholds) & (scores >= thresholds).any(axis=1))


def effective(decide: Decide, models: int) -> Decide:
    """The mode that applies to this number of models: a single one decides by its own score, whatever is configured."""
    return decide if models > 1 else "primary"


def describe(decide: Decide, models: Sequence[str]) -> str:
    """How the models, by their names in their order, make the final decision, in words."""
    if decide == "primary":
        return f"that of the primary, {models[0]}"
    words = {"any": "any", "all": "all", "majority": "the majority", "rank-mean": "the mean rank"}[decide]
    return f"{words} of {', '.join(models)}"


class OfDetector(Protocol):
    """Whatever belongs to one detector, such as a model's row."""

    @property
    def detector(self) -> str:
        """The detector's name."""


Model = TypeVar("Model", bound=OfDetector)


def deciding(active: Sequence[Model], detectors: Sequence[str]) -> list[Model]:
    """The active models, one for each detector, that decide, the primary first; all of them where none is named."""
    by_detector = {model.detector: model for model in active}
    return [by_detector[name] for name in detectors if name in by_detector] if detectors else list(active)


def _mean_rank(values: Floats, judged: NDArray[np.bool_], scales: Sequence[ScoreScale]) -> Floats:
    """float64 (N,): the mean over the models that judged a crop; NaN where none did."""
    total = np.zeros(len(values))
    for column, scale in enumerate(scales):
        rows = judged[:, column]
        total[rows] += scale.rank(values[rows, column])
    with np.errstate(invalid="ignore"):  # 0 / 0 where no model judged the crop
        return np.asarray(total / judged.sum(axis=1))


def _margins(scores: Floats, thresholds: Floats, scales: Sequence[ScoreScale]) -> Floats:
    with np.errstate(over="ignore", under="ignore"):
        difference = scores - thresholds
        margins = np.clip(difference / np.array([scale.scale for scale in scales]), -LARGEST, LARGEST)
    # A difference so small that dividing makes it 0 keeps its sign, because the sign is the vote.
    return np.where(margins == 0, difference, margins)


def _scale(normal: Sequence[float]) -> float:
    if not normal:
        return 1.0
    median, high = normal[len(normal) // 2], normal[len(normal) * 99 // 100]
    return (high - median) or (normal[-1] - normal[0]) or 1.0


def _middle_rank(ordered: Sequence[float], score: float) -> float:
    return (bisect_left(ordered, score) + bisect_right(ordered, score)) / (2 * len(ordered))
