"""Decides whether a new threshold may replace the active one. Arithmetic only: no store, no files.

Each bound is a key of ``[calibration]``. A refused threshold is kept with its reason, and the active one stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.formulas.rates import interval, weighted_rate
from monitor.words import Label, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.api import ScoreEvidence
    from monitor.configuration.settings import Calibration
    from monitor.thresholds.actions import Action

# The deciding scores of labelled crops; both labels are there.
ScoresByLabel: TypeAlias = "Mapping[Label, Sequence[float]]"

# A change that misjudges more than this share of all labelled crops of a class is warned about, and refused when one
# action brings most of the new labels that speak for it.
LARGE_LOSS: Final = 0.02

DOES: Final = {Label.PROLIV: "misses", Label.NE_PROLIV: "raises an alarm on"}


@dataclass(frozen=True)
class Refused:
    """A refusal with its sentence."""

    refusal: Refusal
    sentence: str


@dataclass(frozen=True)
class Loss:
    """How many crops of a class, of how many, only the active threshold decides correctly, and the new one does not."""

    lost: int
    of: int

    @property
    def low(self) -> float:
        """The lower end of the exact 95 % interval of the lost share; 0 without crops."""
        low, _ = interval(self.lost, self.of)
        return low or 0.0

    @property
    def is_large(self) -> bool:
        """Whether it is more than `LARGE_LOSS` of the class."""
        return self.lost > LARGE_LOSS * self.of


def too_few_normal(crops: int, effective: float, settings: Calibration) -> Refused | None:
    """Refuse too little evidence for any rule.

    ``crops``: labelled ne_proliv contents; ``effective``: how many of equal weight say as much, because a crop that is
    old, or stands for next to nothing, hardly counts.
    """
    if effective >= settings.minimum_normal:
        return None
    weighed = "" if effective > crops - 0.5 else f" say as much as {effective:.0f} of equal weight, which"
    return Refused(
        Refusal.TOO_FEW_NORMAL,
        f"{crops} labelled ne_proliv crops{weighed} are fewer than calibration.minimum_normal "
        f"{settings.minimum_normal}; draw about {settings.minimum_normal - effective:.0f} at random and label them: "
        "monitor label --audit 50",
    )


def too_few_proliv(crops: int, settings: Calibration) -> Refused:
    """Refuse that a fallback replaces a threshold that was chosen with enough proliv."""
    return Refused(
        Refusal.TOO_FEW_PROLIV,
        f"{crops} labelled proliv crops are fewer than calibration.minimum_proliv {settings.minimum_proliv}, and a "
        "fallback does not replace a threshold that was chosen with more; label some, or: --accept",
    )


def large_jump(candidate: float, active: float, settings: Calibration) -> Refused | None:
    """Refuse a threshold that differs from the active one by a larger share of it than ``largest_jump``."""
    change = abs(candidate - active)
    if change <= settings.largest_jump * abs(active):
        return None
    share = f"{change / abs(active):.0%}" if active else "infinitely many per cent"
    return Refused(
        Refusal.LARGE_JUMP,
        f"the new threshold {candidate:.6g} differs from the active {active:.6g} by {share}, and "
        f"calibration.largest_jump allows {settings.largest_jump:.0%}; if that is meant: --accept",
    )


def losses(candidate: float, active: float, scores: ScoresByLabel) -> dict[Label, Loss]:
    """What the new threshold loses, by label: thresholds are nested, so one of the two classes loses nothing."""
    proliv, normal = scores[Label.PROLIV], scores[Label.NE_PROLIV]
    return {
        Label.PROLIV: Loss(sum(active <= score < candidate for score in proliv), len(proliv)),
        Label.NE_PROLIV: Loss(sum(candidate <= score < active for score in normal), len(normal)),
    }


def worse(candidate: float, active: float, newest: ScoresByLabel, settings: Calibration) -> Refused | None:
    """Refuse a threshold that surely loses more of the newest labelled crops than the tolerances allow.

    Both thresholds decide on the same crops, so the difference of their rates is the share of crops that only the
    active one decides correctly. Surely means that the lower end of this share's exact 95 % interval lies above the
    tolerance.
    """
    tolerances = {
        Label.PROLIV: (Refusal.WORSE_TPR, settings.tpr_tolerance, "tpr_tolerance"),
        Label.NE_PROLIV: (Refusal.WORSE_TNR, settings.tnr_tolerance, "tnr_tolerance"),
    }
    for label, loss in losses(candidate, active, newest).items():
        refusal, tolerance, key = tolerances[label]
        if loss.low > tolerance:
            return Refused(
                refusal,
                f"of the {loss.of} newest labelled {label.value} crops the new threshold {candidate:.6g} {DOES[label]} "
                f"{loss.lost} that the active {active:.6g} decides correctly: at least {loss.low:.1%} of such crops, "
                f"and calibration.{key} allows {tolerance:.1%}; look at their labels, or: --accept",
            )
    return None


def too_costly(candidate: float, active: float, scores: ScoreEvidence, settings: Calibration) -> Refused | None:
    """Refuse a threshold that surely loses more of all labelled crops than ``most_..._lost`` allows.

    Each crop counts with its weight, so old crops may rightly fade, and a bleed-out counts once. The lost share and its
    exact 95 % interval are those of `weighted_rate`, whose lower end must not lie above what is allowed; with equal
    weights it is the interval of Clopper and Pearson.
    """
    bounds = (
        (Label.PROLIV, Refusal.LOSES_PROLIV, settings.most_proliv_lost, scores.proliv, scores.proliv_weights),
        (Label.NE_PROLIV, Refusal.LOSES_NE_PROLIV, settings.most_ne_proliv_lost, scores.normal, scores.normal_weights),
    )
    for label, refusal, allowed, values, weights in bounds:
        low, high = (active, candidate) if label is Label.PROLIV else (candidate, active)
        lost = [low <= score < high for score in values.tolist()]
        rate = weighted_rate(lost, weights.tolist())
        if rate is not None and rate.low > allowed:
            return Refused(
                refusal,
                f"of all {len(lost)} labelled {label.value} crops the new threshold {candidate:.6g} {DOES[label]} "
                f"{sum(lost)} that the active {active:.6g} decides correctly: by their weights {rate.rate:.1%}, at "
                f"least {rate.low:.1%} of such crops, and calibration.most_{label.value}_lost allows {allowed:.1%}; "
                "look at what was labelled last (monitor labels list) and correct it, or: --accept",
            )
    return None


def one_action(loss: Loss, lost: Label, action: Action | None, settings: Calibration) -> Refused | None:
    """Refuse a change that costs much of the class ``lost`` where one action brings most of what speaks for it.

    ``action``: the largest one of the newest labels of the other class, which are those that speak for the change.
    """
    if action is None or not loss.is_large:
        return None
    if action.crops < settings.one_action_labels or 2 * action.crops <= action.of:
        return None
    return Refused(
        Refusal.ONE_ACTION,
        f"{action.crops} of the {action.of} crops that were newly labelled {action.label.value} {action.words}; with "
        f"them, the new threshold {DOES[lost]} {loss.lost} of all {loss.of} labelled {lost.value} crops that the "
        "active one decides correctly; look at these labels (monitor labels list) and correct them, or, if they are "
        "right: --accept",
    )
