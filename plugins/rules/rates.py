"""Threshold rules that keep one rate, TPR or TNR, and accept whatever the other becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, FiniteFloat

from monitor.api import ThresholdRule
from plugins.rules.weighing import TOLERANCE, RuleSettings, just_above, require

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.api import ScoreEvidence


class TprAtLeastSettings(RuleSettings):
    """Settings of `TprAtLeast`."""

    tpr: FiniteFloat = Field(default=0.95, gt=0, le=1, description="The share of proliv that has to be caught.")


class TprAtLeast(ThresholdRule):
    """The highest threshold that catches a given share of the known proliv crops.

    ``threshold = max {t : TPR(t) >= tpr}``, with ``TPR(t)`` the share of the weight of proliv scores >= t; it is one
    of the proliv scores. It needs no normal crops, and says nothing of how many of them alarm. The rate holds on the
    evidence; on new crops it is about that, give or take what few proliv crops allow. Source: an operating point
    of the ROC curve under a bound on one rate, the criterion of J. Neyman and E. S. Pearson (Philosophical
    Transactions A 231, 1933) with the classes exchanged; for these crops Zapolsky's published recipe.

    Worked example: tpr = 0.75 and proliv 1, 2, 3, 4 give the threshold 2, which catches 2, 3 and 4.
    """

    name = "tpr-at-least"
    Settings: ClassVar[type[BaseModel]] = TprAtLeastSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the highest proliv score that is low enough."""
        require(self.name, evidence, proliv=True)
        order = np.argsort(-evidence.proliv, kind="stable")
        caught = np.cumsum(evidence.proliv_weights[order])
        row = int(np.searchsorted(caught, (self.settings.tpr - TOLERANCE) * caught[-1]))
        return float(evidence.proliv[order][row])


class TnrAtLeastSettings(RuleSettings):
    """Settings of `TnrAtLeast`."""

    tnr: FiniteFloat = Field(default=0.95, gt=0, le=1, description="The share of normal crops that have to pass.")


class TnrAtLeast(ThresholdRule):
    """The lowest threshold that lets a given share of the known normal crops pass.

    ``threshold = min {t : TNR(t) >= tnr}``, with ``TNR(t)`` the share of the weight of normal scores < t, among
    floating-point numbers. A crop passes only below the threshold, so it is the number after a normal score,
    and after the highest one, above all normal scores, where all have to pass. It needs no proliv. The rate holds on
    the evidence; `conformal` promises one for new crops. Source: the criterion of J. Neyman and E. S. Pearson
    (Philosophical Transactions A 231, 1933): the most powerful test among those with a bounded rate of false alarms.

    Worked example: tnr = 0.75 and normal 1, 2, 3, 4 give the number after 3: 1, 2 and 3 pass.
    """

    name = "tnr-at-least"
    Settings: ClassVar[type[BaseModel]] = TnrAtLeastSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the number after the normal score up to which enough of them lie."""
        require(self.name, evidence, normal=True)
        weights = evidence.normal_weights
        threshold = just_above(evidence.normal, weights, self.settings.tnr * float(weights.sum()))
        assert threshold is not None  # a share of the weight is never more than all of it
        return threshold
