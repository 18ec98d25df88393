"""Threshold rules that try every cut between the scores of both classes and take the best.

They differ in what *best* means. Where in its interval the threshold is put, and which of equally good intervals is
taken, is the same for all: `plugins.rules.weighing.Cuts.best`. Calling every crop ne_proliv does not count as a cut:
no score says anything about a threshold above all scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from monitor.api import ThresholdRule
from plugins.rules.weighing import TOLERANCE, Cuts, RuleSettings, require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from monitor.api import ScoreArray, ScoreEvidence


class Balanced(ThresholdRule):
    """The cut with the best mean of TPR and TNR on the evidence: Youden's index.

    ``threshold = argmax over t of (TPR(t) + TNR(t)) / 2``, with ``TPR(t)`` the share of the weight of proliv scores
    >= t and ``TNR(t)`` the share of the weight of normal scores < t. Source: W. J. Youden, Index for rating
    diagnostic tests, Cancer 3 (1950) 32-35; it is the decision stump that gives both classes the same weight.

    Every t in an interval (a, b] between two neighbouring scores cuts alike. Of the best interval the rule takes
    the geometric mean of the ends, or their middle where a <= 0; of several best intervals the one that leaves the
    most room. When nothing beats calling all crops alike, all of them alarm, loudly, instead of none.

    Worked example: normal 1, 2, 4 and proliv 3, 9, 9. The cuts in (2, 3] give TPR 1 and TNR 2/3, those in
    (4, 9] give TPR 2/3 and TNR 1: both 5/6. 9/4 is more than 3/2, so the threshold is sqrt(4 * 9) = 6.
    """

    name = "balanced"
    Settings: ClassVar[type[BaseModel]] = RuleSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric middle of the best interval."""
        require(self.name, evidence, normal=True, proliv=True)
        cuts = Cuts.of(evidence)
        # Numerators over one common denominator: whole numbers compare exactly, rates that tie might not.
        merit = cuts.caught * cuts.normal + cuts.passed * cuts.proliv
        return cuts.best(merit, cuts.normal * cuts.proliv)


class StumpSettings(RuleSettings):
    """Settings of `Stump`."""

    criterion: Literal["gini", "entropy"] = Field(
        default="gini", description="How the impurity of both sides is measured."
    )


class Stump(ThresholdRule):
    """The cut of a decision tree with one question: both sides are as pure as they can be.

    ``threshold = argmin over t of W_low I(p_low) + W_high I(p_high)``, with W the weight of all scores on a side of t,
    p the share of proliv in it, and the impurity ``I(p) = 2 p (1 - p)`` (gini) or ``-p ln p - (1 - p) ln(1 - p)``
    (entropy). Source: W. Iba and P. Langley, Induction of one-level decision trees (ICML 1992); gini as in
    L. Breiman et al., Classification and Regression Trees (1984), entropy as in J. R. Quinlan, Induction of decision
    trees, Machine Learning 1 (1986); the published recipes of Volodin and Ott for these crops.

    Weights count as they are and the classes are *not* balanced: N normal and M proliv crops weigh N and M, so the
    more numerous class matters more, and the threshold moves when crops of one class are added. `balanced` does
    not have that.

    A tree may call either side proliv, a threshold only the upper one. So only cuts count above which the share of
    proliv is larger than below. Where there is none, because no score tells the classes apart or the wrong way round,
    the lowest score becomes the threshold: all crops alarm, loudly, instead of none. Places between neighbours
    and ties are chosen as by `balanced`.

    Worked example: normal 1, 2, 3, 9 and proliv 4, 16, by gini. Cuts in (9, 16] leave 4/5 and 1/5 below and one proliv
    above: 5 * 2 * 0.16 + 0 = 1.6. Those in (3, 4] leave three normal below and 1/3, 2/3 above: 0 + 3 * 2 * 2/9 = 1.33.
    So the threshold is sqrt(3 * 4) = 3.46.
    """

    name = "stump"
    Settings: ClassVar[type[BaseModel]] = StumpSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric middle of the interval that leaves the purest sides."""
        require(self.name, evidence, normal=True, proliv=True)
        cuts = Cuts.of(evidence)
        impurity = _gini if self.settings.criterion == "gini" else _entropy
        alarms = cuts.normal - cuts.passed
        mixed = impurity(cuts.passed, cuts.proliv - cuts.caught) + impurity(alarms, cuts.caught)
        # Cuts the wrong way round are worth what no cut is worth: the first one.
        right_way = cuts.tpr > cuts.fpr + TOLERANCE
        return cuts.best(-np.where(right_way, mixed, mixed[0]), cuts.normal + cuts.proliv)


class F1(ThresholdRule):
    """The cut with the best F1: the harmonic mean of precision and TPR on the evidence.

    ``threshold = argmax over t of 2 P(t) / (P(t) + A(t) + M)``, with P the weight of the proliv scores >= t, A that of
    the normal scores >= t and M that of all proliv. Source: C. J. van Rijsbergen, Information Retrieval, 2nd edition
    (1979), chapter 7, with both counted equally.

    Precision depends on how many crops there are of each class. The evidence has far more proliv than the line, so
    its F1 is not the line's, and on the line precision is lower. TNR of crops that pass anyway does not count.
    Places between neighbours and ties are chosen as by `balanced`.

    Worked example: normal 1, 2, 9 and proliv 4, 16. Cuts in (2, 4] give 2 * 2 / (2 + 1 + 2) = 0.8, those in (9, 16]
    give 2 * 1 / (1 + 0 + 2) = 0.67, so the threshold is sqrt(2 * 4) = 2.83.
    """

    name = "f1"
    Settings: ClassVar[type[BaseModel]] = RuleSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric middle of the interval with the best F1."""
        require(self.name, evidence, normal=True, proliv=True)
        cuts = Cuts.of(evidence)
        alarms = cuts.normal - cuts.passed
        return cuts.best(2 * cuts.caught / (cuts.caught + alarms + cuts.proliv), 1.0)


class CostSettings(RuleSettings):
    """Settings of `Cost`."""

    miss_cost: FiniteFloat = Field(default=100.0, gt=0, description="What a missed proliv crop costs, in any unit.")
    false_alarm_cost: FiniteFloat = Field(default=1.0, gt=0, description="What a false alarm costs, in the same unit.")
    proliv_share: FiniteFloat = Field(
        default=0.01, gt=0, lt=1, description="The share of proliv among the crops of the line."
    )


class Cost(ThresholdRule):
    """The cut with the least expected cost of a crop of the line.

    ``threshold = argmin over t of share * miss_cost * (1 - TPR(t)) + (1 - share) * false_alarm_cost * (1 - TNR(t))``,
    with the rates of the evidence and the share of proliv on the line, which the evidence does not know. Source:
    C. Elkan, The foundations of cost-sensitive learning (IJCAI 2001). Only the ratio of the two products matters; at
    ratio 1 it is `balanced`. A crop costs, not an incident: where one bleed-out gives many crops, divide its cost by
    their number.

    The cut that leaves only the highest score to alarm is the last one that is tried: even where never to alarm would
    be cheapest, the threshold stays among the scores. Places between neighbours and ties are chosen as by `balanced`.

    Worked example: miss_cost = 4, false_alarm_cost = 1, proliv_share = 0.5, normal 1, 2, 9, 9 and proliv 4, 16. Cuts in
    (2, 4] cost 0.5 * 4 * 0 + 0.5 * 1 * 2/4 = 0.25, those in (9, 16] 0.5 * 4 * 1/2 + 0 = 1: sqrt(2 * 4) = 2.83.
    """

    name = "cost"
    Settings: ClassVar[type[BaseModel]] = CostSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric middle of the cheapest interval."""
        require(self.name, evidence, normal=True, proliv=True)
        cuts = Cuts.of(evidence)
        settings: Any = self.settings
        miss = settings.proliv_share * settings.miss_cost
        alarm = (1 - settings.proliv_share) * settings.false_alarm_cost
        return cuts.best(-(miss * (1 - cuts.tpr) + alarm * cuts.fpr), miss + alarm)


def _gini(normal: ScoreArray, proliv: ScoreArray) -> NDArray[np.float64]:
    """``W 2 p (1 - p)`` of sides with these weights, float64 (K,); 0 for a side without any."""
    weight = normal + proliv
    return 2 * normal * np.divide(proliv, weight, out=np.zeros_like(weight), where=weight > 0)


def _entropy(normal: ScoreArray, proliv: ScoreArray) -> NDArray[np.float64]:
    """``W (-p ln p - (1 - p) ln(1 - p))`` of sides with these weights, float64 (K,); 0 for a side without any."""
    weight = normal + proliv
    result = np.zeros_like(weight)
    for part in (normal, proliv):
        # Rounding may leave a little weight below 0 where nothing is left.
        present = (part > 0) & (weight > 0)
        result[present] -= part[present] * np.log(part[present] / weight[present])
    return result
