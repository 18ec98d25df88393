"""One final decision on a crop from the decisions of its models. Pure arithmetic: no files, no store, no networks.

In every mode the outcome is a score held against a threshold, proliv when score >= threshold, so that ROC curves,
intervals and exports mean the same for the whole as for one model.

- ``primary``: the score and the threshold of the first model; when it refused the crop, of the next that did not.
- ``any``, ``all``, ``majority``: the vote of the models that judged the crop, each with the margin
  ``m = (score - threshold) / scale``, which is >= 0 exactly when the model says proliv. The score is the k-th largest
  margin and the threshold 0: k = 1 (the maximum) for any, k = n (the minimum) for all, k = floor(n / 2) + 1 for
  majority, for at least k models say proliv exactly when the k-th largest margin is >= 0. So the vote is never
  altered, and the score still says how close it was. A tie of two is no majority. Source of the maximum, minimum and
  vote as rules of combination: J. Kittler, M. Hatef, R. Duin, J. Matas, On combining classifiers, IEEE Transactions
  on Pattern Analysis and Machine Intelligence 20 (1998) 226-239. The scale makes margins of different detectors
  comparable; see `ScoreScale`.
- ``rank-mean``: the mean over the models of the score's rank among the scores of the model's calibration, held
  against the mean of the ranks of the models' thresholds. Ranks, unlike scores, have the same unit for every
  detector; source: T. K. Ho, J. Hull, S. Srihari, Decision combination in multiple classifier systems, IEEE
  Transactions on Pattern Analysis and Machine Intelligence 16 (1994) 66-75. One model that is sure can carry two that
  hesitate. Where all models agree, it agrees with them, because a rank grows with the score.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.configuration.settings import Decide

NORMAL_SCORES: Final = "normal_percentiles"
PROLIV_SCORES: Final = "proliv_percentiles"
"""Under these keys a calibration's evidence holds `PERCENTILES` scores each, or none where there were no crops."""


class FinalDecision(NamedTuple):
    """A final decision; ``decided_by`` is the mode that it was made in, which gives the score its unit."""

    verdict: Label
    score: float
    threshold: float
    decided_by: Decide


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

    def rank(self, score: float) -> float:
        """The rank of a score, within 0-1: the mean of its ranks among the normal and among the proliv scores.

        At a kept percentile the rank in one class is the share of the class's percentiles below it and half of the
        share equal to it, as equal ranks are usually shared (M. G. Kendall, Biometrika 33 (1945) 239-251). Between two
        neighbouring percentiles of either class it grows linearly, so also in the gap between two classes that do
        not overlap, which is where the threshold lies.
        Beyond the outermost it goes on towards 0 and 1, by ``w / (w + d)`` with the distance d and the width w of all
        percentiles: were it cut off there, a score below a far threshold would get the threshold's rank.
        """
        scores, ranks = self.scores, self.ranks
        width = scores[-1] - scores[0] or 1.0
        if score < scores[0]:
            return ranks[0] * (width / (width + scores[0] - score))
        if score >= scores[-1]:
            # Rounding must not put a higher score below a lower one, here and further down.
            return max(ranks[-1], 1 - (1 - ranks[-1]) * (width / (width + score - scores[-1])))
        right = bisect_right(scores, score)
        share = (score - scores[right - 1]) / (scores[right] - scores[right - 1])
        return min(ranks[right], ranks[right - 1] + share * (ranks[right] - ranks[right - 1]))


class Vote(NamedTuple):
    """One model's decision on a crop: its score, its threshold, and what both are measured against."""

    score: float
    threshold: float
    score_scale: ScoreScale


def verdict(score: float, threshold: float) -> Label:
    """Proliv when the score reaches the threshold."""
    return Label.PROLIV if score >= threshold else Label.NE_PROLIV


def combine(decide: Decide, votes: Sequence[Vote]) -> FinalDecision:
    """Make the final decision from the votes of the models that judged the crop, in their order; at least one."""
    if decide == "primary":
        score, threshold, _ = votes[0]
    elif decide == "rank-mean":
        score = sum(vote.score_scale.rank(vote.score) for vote in votes) / len(votes)
        threshold = sum(vote.score_scale.rank(vote.threshold) for vote in votes) / len(votes)
    else:
        needed = {"any": 1, "all": len(votes), "majority": len(votes) // 2 + 1}[decide]
        score, threshold = sorted(map(_margin, votes), reverse=True)[needed - 1], 0.0
    return FinalDecision(verdict(score, threshold), score, threshold, decide)


def effective(decide: Decide, models: int) -> Decide:
    """The mode that decides among so many models: one alone decides by its own score, whatever is configured."""
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
    """Those of the active models, one for each detector, that decide, the primary first; all where none is named."""
    by_detector = {model.detector: model for model in active}
    return [by_detector[name] for name in detectors if name in by_detector] if detectors else list(active)


def _margin(vote: Vote) -> float:
    difference = vote.score - vote.threshold
    margin = max(-sys.float_info.max, min(difference / vote.score_scale.scale, sys.float_info.max))
    # A difference so small that dividing makes it 0 keeps its sign, for the sign is the vote.
    return margin or difference


def _scale(normal: Sequence[float]) -> float:
    if not normal:
        return 1.0
    median, high = normal[len(normal) // 2], normal[len(normal) * 99 // 100]
    return (high - median) or (normal[-1] - normal[0]) or 1.0


def _middle_rank(ordered: Sequence[float], score: float) -> float:
    return (bisect_left(ordered, score) + bisect_right(ordered, score)) / (2 * len(ordered))
