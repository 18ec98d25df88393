"""Threshold rules that use quantiles of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, FiniteFloat

from monitor.api import ThresholdRule
from plugins.rules.weighing import RuleSettings, geometric_middle, quantile, require, within

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.api import ScoreEvidence


class QuantileMidpointSettings(RuleSettings):
    """Settings of `QuantileMidpoint`."""

    normal_quantile: FiniteFloat = Field(
        default=0.99, ge=0, le=1, description="The share of normal crops that should lie below the threshold, at least."
    )
    proliv_quantile: FiniteFloat = Field(
        default=0.01, ge=0, le=1, description="The share of proliv crops that may lie below it, at most."
    )


class QuantileMidpoint(ThresholdRule):
    """The middle between the upper end of the normal scores and the lower end of the proliv scores.

    ``threshold = sqrt(q(normal, 0.99) q(proliv, 0.01))``, the geometric mean of two quantiles (weighted, linearly
    interpolated), or their middle where one is <= 0. Where the classes are apart it leaves both the same room in
    proportion; where they overlap it cuts in the middle of the overlap. Unlike a cut that is best on the evidence, it
    does not depend on the one or two crops at the very end: with another held-out part it moves little. Source: the
    midpoint of a maximum-margin cut (V. Vapnik, Estimation of Dependences, 1982), between quantiles in place of
    extremes.

    Worked example: with the quantiles 0 and 1 in place of 0.01 and 0.99, normal 1, 2, 4 and proliv 9, 25 give
    sqrt(4 * 9) = 6.
    """

    name = "quantile-midpoint"
    Settings: ClassVar[type[BaseModel]] = QuantileMidpointSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the geometric mean of the two quantiles."""
        require(self.name, evidence, normal=True, proliv=True)
        low = quantile(evidence.normal, evidence.normal_weights, self.settings.normal_quantile)
        high = quantile(evidence.proliv, evidence.proliv_weights, self.settings.proliv_quantile)
        return within(geometric_middle(low, high), np.array([low, high]))


class NormalQuantileSettings(RuleSettings):
    """Settings of `NormalQuantile`."""

    quantile: FiniteFloat = Field(
        default=0.99, ge=0, le=1, description="The share of normal crops that lie below the threshold, about."
    )


class NormalQuantile(ThresholdRule):
    """A high quantile of the scores of normal crops, for as long as no proliv is known.

    ``threshold = q(normal, 0.99)``, weighted and linearly interpolated. About 1 - quantile of normal crops like these
    alarm; what becomes of proliv, it cannot know. A crop exactly at the threshold alarms: where many normal crops
    have one and the same score, more of them may. Source: the sample quantile as Hyndman and Fan's type 7 (Sample
    quantiles in statistical packages, The American Statistician 50, 1996), with weights as A. Akinshin puts it
    (arXiv:2304.07265).

    Worked example: quantile = 0.75 and normal 1, 2, 4, 6, 20 give 6, the fourth of five.
    """

    name = "normal-quantile"
    Settings: ClassVar[type[BaseModel]] = NormalQuantileSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the quantile of the normal scores."""
        require(self.name, evidence, normal=True)
        return quantile(evidence.normal, evidence.normal_weights, self.settings.quantile)


class QuantileOfFullTprSettings(RuleSettings):
    """Settings of `QuantileOfFullTpr`."""

    quantile: FiniteFloat = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Which of the thresholds that catch every proliv: 0 the lowest, 1 the last.",
    )


class QuantileOfFullTpr(ThresholdRule):
    """Near the upper end of the thresholds that catch every proliv crop.

    ``threshold = q({t : t a score, t <= min(proliv)}, 0.9)``, linearly interpolated. *Thresholds* are the distinct
    scores of both classes, as a ROC curve walks along them; those up to the lowest proliv score have TPR 1. Each
    counts once, however many crops have that score and whatever they weigh, so weights change nothing. The number
    of thresholds depends on how many different normal scores lie below the lowest proliv, and one low proliv moves all.
    Source: Goldobin's published recipe for these crops.

    Worked example: quantile = 0.5, normal 1, 2, 2, 3, 8 and proliv 5, 9 have the thresholds 1, 2, 3, 5: 2.5.
    """

    name = "quantile-of-full-tpr"
    Settings: ClassVar[type[BaseModel]] = QuantileOfFullTprSettings

    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the quantile of the thresholds with TPR 1."""
        require(self.name, evidence, normal=True, proliv=True)
        scores = np.unique(np.concatenate([evidence.normal, evidence.proliv]))
        catching_all = scores[scores <= evidence.proliv.min()]
        return within(float(np.quantile(catching_all, self.settings.quantile)), catching_all)
