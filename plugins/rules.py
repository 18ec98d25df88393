"""The built-in threshold rules; by all of them a crop is proliv when its deciding score >= the threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from monitor.api import EvidenceMissingError, ThresholdRule

if TYPE_CHECKING:
    from monitor.api import ScoreEvidence


class NoSettings(BaseModel):
    """The settings of a rule that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Balanced(ThresholdRule):
    """The cut with the best mean of TPR and TNR on the evidence: Youden's index.

    ``threshold = argmax over t of (TPR(t) + TNR(t)) / 2``, with ``TPR(t)`` the share of proliv scores >= t and
    ``TNR(t)`` the share of normal scores < t. Source: W. J. Youden, Index for rating diagnostic tests, Cancer 3
    (1950) 32-35; it is the decision stump that gives both classes the same weight.

    Every t in an interval (a, b] between two neighbouring scores cuts alike. Of the best interval the rule takes
    the geometric mean of the ends, ``sqrt(a b)``, or their middle where a <= 0: both classes get the same room in
    proportion, as suits reconstruction errors, which spread over orders of magnitude, and the choice is the same
    whether errors are squared or not. Where several intervals are equally good the widest (by the ratio of
    its ends) wins, for it leaves the most room; of equally wide ones the lowest, because a missed proliv is worse
    than a false alarm. When nothing beats calling all crops alike, all of them alarm, loudly, instead of none.

    Worked example: normal 1, 2, 4 and proliv 3, 9, 9. The cuts in (2, 3] give TPR 1 and TNR 2/3, those in
    (4, 9] give TPR 2/3 and TNR 1: both 5/6. 9/4 is more than 3/2, so the threshold is sqrt(4 * 9) = 6.
    """

    name = "balanced"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric middle of the best interval."""
        _require(self.name, evidence, normal=True, proliv=True)
        normal, proliv = np.sort(evidence.normal), np.sort(evidence.proliv)
        scores = np.unique(np.concatenate([normal, proliv]))
        # Numerators over one common denominator: whole numbers compare exactly, rates that tie might not.
        caught = (len(proliv) - np.searchsorted(proliv, scores, side="left")) * len(normal)
        passed = np.searchsorted(normal, scores, side="left") * len(proliv)
        best = np.flatnonzero(caught + passed == (caught + passed).max()).tolist()
        if best[0] == 0:
            # Cutting below every score is as good as any other cut: everything alarms.
            return float(scores[0])
        intervals = [(float(scores[index - 1]), float(scores[index])) for index in best]
        by_ratio = intervals[0][0] > 0
        low, high = max(intervals, key=lambda ends: math.log(ends[1] / ends[0]) if by_ratio else ends[1] - ends[0])
        middle = math.sqrt(low) * math.sqrt(high) if low > 0 else low / 2 + high / 2
        # Between two neighbouring floating-point numbers there is no middle; only the upper end cuts there.
        return middle if low < middle < high else high


class QuantileMidpointSettings(BaseModel):
    """Settings of `QuantileMidpoint`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    normal_quantile: FiniteFloat = Field(
        default=0.99, ge=0, le=1, description="The share of normal crops that should lie below the threshold, at least."
    )
    proliv_quantile: FiniteFloat = Field(
        default=0.01, ge=0, le=1, description="The share of proliv crops that may lie below it, at most."
    )


class QuantileMidpoint(ThresholdRule):
    """The middle between the upper end of the normal scores and the lower end of the proliv scores.

    ``threshold = sqrt(q(normal, 0.99) q(proliv, 0.01))``, the geometric mean of two quantiles (linearly interpolated),
    or their middle where one is <= 0. Where the classes are apart it leaves both the same room in proportion; where
    they overlap it cuts in the middle of the overlap. Unlike a cut that is best on the evidence, it does not hang on
    the one or two crops at the very end: with another held-out part it moves little. Source: the midpoint of
    a maximum-margin cut (V. Vapnik, Estimation of Dependences, 1982), between quantiles in place of extremes.

    Worked example: with the quantiles 0 and 1 in place of 0.01 and 0.99, normal 1, 2, 4 and proliv 9, 25 give
    sqrt(4 * 9) = 6.
    """

    name = "quantile-midpoint"
    Settings: ClassVar[type[BaseModel]] = QuantileMidpointSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric mean of the two quantiles."""
        _require(self.name, evidence, normal=True, proliv=True)
        low = float(np.quantile(evidence.normal, self.settings.normal_quantile))
        high = float(np.quantile(evidence.proliv, self.settings.proliv_quantile))
        # Roots first: the product of two large scores may be too large.
        return math.sqrt(low) * math.sqrt(high) if min(low, high) > 0 else low / 2 + high / 2


class MeanProliv(ThresholdRule):
    """The mean score of known proliv crops.

    ``threshold = (s_1 + ... + s_n) / n`` over the n proliv scores. It needs no normal crops, and by its nature
    lets about half of proliv crops like these pass. Source: the arithmetic mean, the plainest threshold there is;
    kept as a baseline.

    Worked example: proliv 1, 2, 6 give the threshold 3.
    """

    name = "mean-proliv"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the mean of the proliv scores."""
        _require(self.name, evidence, proliv=True)
        return float(np.mean(evidence.proliv))


class FractionOfMaxSettings(BaseModel):
    """Settings of `FractionOfMax`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: FiniteFloat = Field(
        default=0.56, gt=0, description="The threshold as a multiple of the highest score of proliv crops."
    )


class FractionOfMax(ThresholdRule):
    """A fixed share of the highest score of known proliv crops.

    ``threshold = k * max(s_1, ..., s_n)`` over the n proliv scores. Source: Kirsanov's published recipes for
    these crops, k = 0.56 with two linear layers and 0.60 with five. One extreme proliv moves it.

    Worked example: k = 0.5 and proliv 1, 2, 6 give the threshold 3.
    """

    name = "fraction-of-max"
    Settings: ClassVar[type[BaseModel]] = FractionOfMaxSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return k times the highest proliv score."""
        _require(self.name, evidence, proliv=True)
        return float(self.settings.k * np.max(evidence.proliv))


class FixedSettings(BaseModel):
    """Settings of `Fixed`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: FiniteFloat | None = Field(
        default=None, ge=0, description="The threshold, in the unit of the detector's deciding score."
    )


class Fixed(ThresholdRule):
    """A threshold set by hand, whatever the evidence says.

    The threshold is the setting. Source: Vyaznikov's published recipe for these crops, which holds 12 against the
    sum of squares over 30 x 50 pixels and 3 channels; against their mean that is ``12 / 4500 = 0.002667``.

    Worked example: threshold = 0.0027 gives 0.0027.
    """

    name = "fixed"
    Settings: ClassVar[type[BaseModel]] = FixedSettings

    def choose(self, evidence: ScoreEvidence) -> float:  # noqa: ARG002 - a threshold by hand needs no evidence
        """Return the threshold of the settings."""
        if self.settings.threshold is None:
            raise EvidenceMissingError(
                "the rule 'fixed' has no threshold; set one with `--set threshold=VALUE` or as `threshold` under "
                "[rules.fixed] in the configuration"
            )
        return float(self.settings.threshold)


def _require(rule: str, evidence: ScoreEvidence, *, normal: bool = False, proliv: bool = False) -> None:
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
