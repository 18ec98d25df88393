"""Threshold rules that are a single number: a mean, a share of the maximum, a number set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, FiniteFloat

from monitor.api import EvidenceMissingError, ThresholdRule
from plugins.rules.weighing import RuleSettings, require, within

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.api import ScoreEvidence


class MeanProliv(ThresholdRule):
    """The mean score of known proliv crops.

    ``threshold = (w_1 s_1 + ... + w_n s_n) / (w_1 + ... + w_n)`` over the n proliv scores with their weights. It needs
    no normal crops, and by its nature lets about half of proliv crops like these pass. Source: the arithmetic mean,
    the plainest threshold there is; kept as a baseline.

    Worked example: proliv 1, 2, 6 give the threshold 3; with the weights 1, 1, 2 they give 15 / 4 = 3.75.
    """

    name = "mean-proliv"
    Settings: ClassVar[type[BaseModel]] = RuleSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the mean of the proliv scores."""
        require(self.name, evidence, proliv=True)
        return within(float(np.average(evidence.proliv, weights=evidence.proliv_weights)), evidence.proliv)


class FractionOfMaxSettings(RuleSettings):
    """Settings of `FractionOfMax`."""

    k: FiniteFloat = Field(
        default=0.56, gt=0, description="The threshold as a multiple of the highest score of proliv crops."
    )


class FractionOfMax(ThresholdRule):
    """A fixed share of the highest score of known proliv crops.

    ``threshold = k * max(s_1, ..., s_n)`` over the n proliv scores; weights do not change what is highest. Source:
    Kirsanov's published recipes for these crops, k = 0.56 with two linear layers and 0.60 with five. One extreme
    proliv moves it, and nothing keeps it among the scores: a small k lies below all of them, k > 1 above.

    Worked example: k = 0.5 and proliv 1, 2, 6 give the threshold 3.
    """

    name = "fraction-of-max"
    Settings: ClassVar[type[BaseModel]] = FractionOfMaxSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return k times the highest proliv score."""
        require(self.name, evidence, proliv=True)
        return float(self.settings.k * np.max(evidence.proliv))


class FixedSettings(RuleSettings):
    """Settings of `Fixed`."""

    threshold: FiniteFloat | None = Field(
        default=None, ge=0, description="The threshold, in the unit of the detector's deciding score."
    )


class Fixed(ThresholdRule):
    """A threshold set by hand, whatever the evidence says.

    The threshold is the setting. Source: Vyaznikov's published recipe for these crops, which compares 12 with the
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
