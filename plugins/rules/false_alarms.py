"""Threshold rules that limit the false alarms on new crops, not only on those that the threshold is chosen from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from pydantic import Field, FiniteFloat

from monitor.api import EvidenceMissingError, ThresholdRule
from plugins.rules.weighing import TOLERANCE, RuleSettings, effective_count, just_above, quantile, require

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.api import ScoreEvidence

# The quantile of the normal scores above which their tail begins.
TAIL_START: Final = 0.95

# This many scores above it tell the mean excess to about a fifth: its relative standard error is
# 1 / sqrt(20) = 0.22.
LEAST_EXCESSES: Final = 20


class ConformalSettings(RuleSettings):
    """Settings of `Conformal`."""

    alpha: FiniteFloat = Field(
        default=0.01, gt=0, lt=1, description="The share of new normal crops that may alarm, at most."
    )


class Conformal(ThresholdRule):
    """A bound on the share of new normal crops that alarm: split conformal prediction.

    ``threshold = the floating-point number after s_(k), k = ceil((n + 1) (1 - alpha))``, with s_(k) the k-th smallest
    of the n normal scores. A new crop alarms when its score is above s_(k). If it is exchangeable with the n crops
    (drawn from the same line in the same way, and not learned from), its rank among all n + 1 is equally likely to
    be any, so it alarms with a chance of at most alpha; whatever the distribution of the scores, ties included, and
    on the average over the n crops: one set of them may be unlucky. Nothing is promised for crops of another kind
    than the evidence, or when k > n: then it needs ``n >= ceil(1 / alpha) - 1`` crops. Where s_(k) is the
    highest normal score, the threshold lies above all of them, by one floating-point number. It needs no proliv.
    Source: V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World (2005); H. Papadopoulos et al.,
    Inductive confidence machines for regression (ECML 2002).

    Crops that count differently are not exchangeable. The crop to come then counts with the weight w, and k is the
    first with ``w_(1) + ... + w_(k) >= (1 - alpha) (w_1 + ... + w_n + w)``. Source: R. J. Tibshirani et al., Conformal
    prediction under covariate shift (NeurIPS 2019). Its weight is not known, so w is the largest of the evidence, the
    cautious choice: the threshold only rises with w. With equal weights that is the formula above. The bound is then
    as true as the weights: they have to be how many times likelier each crop is on the line than in the evidence.

    Worked example: alpha = 0.25 and normal 1, 2, 3, 4, 5, 6, 7 give k = ceil(8 * 0.75) = 6: the number after 6.
    """

    name = "conformal"
    Settings: ClassVar[type[BaseModel]] = ConformalSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the number after the k-th smallest normal score."""
        require(self.name, evidence, normal=True)
        threshold = _conformal(evidence, self.settings.alpha)
        if threshold is not None:
            return threshold
        # One in a hundred needs 99 crops, though 1 / 0.01 might be a little more than 100 after rounding.
        needed = math.ceil((1 - TOLERANCE) / self.settings.alpha) - 1
        count = len(evidence.normal)
        weights = evidence.normal_weights
        like = "" if weights.min() == weights.max() else (
            f", of such different weights that they stand for {math.floor(weights.sum() / weights.max())}"
        )  # fmt: skip
        raise EvidenceMissingError(
            f"the rule 'conformal' with alpha = {self.settings.alpha:g} needs at least {needed} labelled crops of "
            f"ne_proliv; there are {count}{like}: add crops of ne_proliv, or allow a larger alpha"
        )


class FalseAlarmsPerWeekSettings(RuleSettings):
    """Settings of `FalseAlarmsPerWeek`."""

    false_alarms: FiniteFloat = Field(default=1.0, gt=0, description="How many false alarms there may be in a week.")
    crops_per_week: FiniteFloat | None = Field(
        default=None, gt=0, description="How many crops the line takes in a week; without it, as many as were stored."
    )


class FalseAlarmsPerWeek(ThresholdRule):
    """The threshold that gives a chosen number of false alarms in a week.

    The share of crops that may alarm is ``alpha = false_alarms / crops_per_week``. As long as n normal crops can show
    something this rare, ``alpha >= 1 / (n + 1)``, the threshold is the empirical quantile as in `conformal`. Where all
    crops may alarm, it is the lowest normal score.

    A smaller alpha lies beyond what was seen. Then the upper tail is continued as an exponential one, by the peaks over
    the weighted 0.95 quantile u of the normal scores: ``P(score > t) = z exp(-(t - u) / b)`` with z the weighted share
    of the scores above u and b the weighted mean of ``score - u`` among them, so
    ``threshold = u + b ln(z / alpha)``. It needs 20 scores above u (with unequal weights, an effective number of 20 by
    Kish): about 400 normal crops. It may lie above all scores; that is what it is for. Source:
    J. Pickands, Statistical inference using extreme order statistics, Annals of Statistics 3 (1975): the tail of most
    distributions approaches a generalised Pareto distribution, whose case of shape 0 is the exponential one.

    An estimate, not a guarantee: a tail that falls more slowly (other light, a tool in the picture) gives more false
    alarms, and the number of a week varies about its mean. Proliv crops among the crops of a week are few and ignored.

    Worked example: u = 10, and 5 % of the scores lie above it, on the average by 2. One false alarm in 2,000 crops:
    10 + 2 ln(0.05 / 0.0005) = 19.21.
    """

    name = "false-alarms-per-week"
    Settings: ClassVar[type[BaseModel]] = FalseAlarmsPerWeekSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the empirical quantile, or that of the continued tail."""
        require(self.name, evidence, normal=True)
        crops = self.settings.crops_per_week or evidence.crops_per_week
        if not crops:
            raise EvidenceMissingError(
                "the rule 'false-alarms-per-week' needs to know how many crops the line takes in a week, and no crops "
                "of the line are stored to count; give `--set crops_per_week=NUMBER`, or `crops_per_week` under "
                "[rules.false-alarms-per-week] in the configuration"
            )
        alpha = float(self.settings.false_alarms / crops)
        if alpha >= 1:
            return float(evidence.normal.min())
        threshold = _conformal(evidence, alpha)
        return _tail(evidence, alpha) if threshold is None else threshold


def _conformal(evidence: ScoreEvidence, alpha: float) -> float | None:
    """The threshold of `Conformal`; None where there is not enough to say."""
    weights = evidence.normal_weights
    return just_above(evidence.normal, weights, (1 - alpha) * float(weights.sum() + weights.max()))


def _tail(evidence: ScoreEvidence, alpha: float) -> float:
    """The threshold of `FalseAlarmsPerWeek` beyond the scores; never below the tail."""
    scores, weights = evidence.normal, evidence.normal_weights
    start = quantile(scores, weights, TAIL_START)
    above = scores > start
    # A sum of 20 equal weights may be 20 but for rounding.
    count = math.floor(effective_count(weights[above]) + 1e-9) if above.any() else 0
    if count < LEAST_EXCESSES:
        raise EvidenceMissingError(
            f"the rule 'false-alarms-per-week' is asked for one false alarm in {1 / alpha:.0f} crops, which "
            f"{len(scores)} labelled crops of ne_proliv do not show; to continue their tail it needs at least "
            f"{LEAST_EXCESSES} scores above the {TAIL_START:g} quantile, and there are {count}: add crops of ne_proliv "
            f"(about {round(LEAST_EXCESSES / (1 - TAIL_START))} do), or allow more false alarms"
        )
    excess = float(np.average(scores[above] - start, weights=weights[above]))
    share = float(weights[above].sum() / weights.sum())
    threshold = start + excess * math.log(share / alpha)
    # With very unequal weights alpha may be so large that the formula gives a value below u, where it does not hold.
    return max(threshold, float(np.nextafter(start, np.inf)))
