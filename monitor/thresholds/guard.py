"""Whether a new threshold may take the place of the active one. Pure arithmetic: no store, no files.

Each bound is a key of ``[calibration]``. What a guard refuses is kept with its reason, and the old threshold stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.formulas.rates import interval
from monitor.store.calibrations import WITHDRAWN
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.settings import Calibration
    from monitor.thresholds.evidence import Item


class Refusal(StrEnum):
    """Why a calibration was refused: a bounded set, for it labels a metric and fills a column."""

    EVIDENCE_MISSING = "evidence_missing"
    """The rule lacks scores to choose from."""
    TOO_FEW_NORMAL = "too_few_normal"
    """There are fewer labelled ne_proliv crops than minimum_normal."""
    TOO_FEW_PROLIV = "too_few_proliv"
    """There are fewer labelled proliv crops than minimum_proliv, and the active threshold was chosen with enough."""
    NO_THRESHOLD = "no_threshold"
    """What the rule chose is no finite number, or it failed."""
    LARGE_JUMP = "large_jump"
    """It changes by a larger share than largest_jump."""
    WORSE_TPR = "worse_tpr"
    """It misses more of the newest labelled proliv."""
    WORSE_TNR = "worse_tnr"
    """It lets more of the newest labelled ne_proliv alarm."""
    WITHDRAWN = WITHDRAWN
    """It was in the shadow, and another change overtook it."""
    ROLLED_BACK = "rolled_back"
    """It is the threshold that somebody rolled back, and nothing was labelled since."""


@dataclass(frozen=True)
class Refused:
    """A refusal with its sentence."""

    refusal: Refusal
    sentence: str


@dataclass(frozen=True)
class Loss:
    """How many of the newest labelled crops of a class the new threshold decides wrongly and the active one rightly."""

    lost: int
    of: int

    @property
    def low(self) -> float:
        """The lower end of the exact 95 % interval of the lost share; 0 without crops."""
        low, _ = interval(self.lost, self.of)
        return low or 0.0


def counts(normal: int, effective: float, settings: Calibration) -> Refused | None:
    """Refuse too little evidence for any rule.

    ``normal``: labelled ne_proliv contents; ``effective``: how many of equal weight say as much, since a crop that has
    grown old, or stands for next to nothing, hardly counts.
    """
    if effective >= settings.minimum_normal:
        return None
    weighed = "" if effective > normal - 0.5 else f" say as much as {effective:.0f} of equal weight, which"
    return Refused(
        Refusal.TOO_FEW_NORMAL,
        f"{normal} labelled ne_proliv crops{weighed} are fewer than calibration.minimum_normal "
        f"{settings.minimum_normal}; draw about {settings.minimum_normal - effective:.0f} at random and label them: "
        "monitor label --audit 50",
    )


def fallback(proliv: int, settings: Calibration) -> Refused:
    """Refuse that a fallback takes the place of a threshold that was chosen with enough proliv."""
    return Refused(
        Refusal.TOO_FEW_PROLIV,
        f"{proliv} labelled proliv crops are fewer than calibration.minimum_proliv {settings.minimum_proliv}, and a "
        "fallback does not take the place of a threshold that was chosen with more; label some, or: --accept",
    )


def jump(candidate: float, active: float, settings: Calibration) -> Refused | None:
    """Refuse a threshold that changes by a larger share of the active one than ``largest_jump``."""
    change = abs(candidate - active)
    if change <= settings.largest_jump * abs(active):
        return None
    share = f"{change / abs(active):.0%}" if active else "endlessly many per cent"
    return Refused(
        Refusal.LARGE_JUMP,
        f"the new threshold {candidate:.6g} differs from the active {active:.6g} by {share}, and "
        f"calibration.largest_jump allows {settings.largest_jump:.0%}; if that is meant: --accept",
    )


def losses(candidate: float, active: float, newest: Sequence[Item]) -> dict[Label, Loss]:
    """What the new threshold loses, by label: thresholds are nested, so one of the two classes loses nothing."""
    proliv = [item.score for item in newest if item.label is Label.PROLIV]
    normal = [item.score for item in newest if item.label is Label.NE_PROLIV]
    return {
        Label.PROLIV: Loss(sum(active <= score < candidate for score in proliv), len(proliv)),
        Label.NE_PROLIV: Loss(sum(candidate <= score < active for score in normal), len(normal)),
    }


def worse(candidate: float, active: float, newest: Sequence[Item], settings: Calibration) -> Refused | None:
    """Refuse a threshold that surely loses more of the newest labelled crops than the tolerances allow.

    Judged on the same crops, so the difference of the rates is the share of crops that only the active threshold
    decides rightly; surely means that the lower end of that share's exact 95 % interval lies above the tolerance.
    """
    tolerances = {
        Label.PROLIV: (Refusal.WORSE_TPR, settings.tpr_tolerance, "misses", "tpr_tolerance"),
        Label.NE_PROLIV: (Refusal.WORSE_TNR, settings.tnr_tolerance, "raises an alarm on", "tnr_tolerance"),
    }
    for label, loss in losses(candidate, active, newest).items():
        refusal, tolerance, does, key = tolerances[label]
        if loss.low > tolerance:
            return Refused(
                refusal,
                f"of the {loss.of} newest labelled {label.value} crops the new threshold {candidate:.6g} {does} "
                f"{loss.lost} that the active {active:.6g} decides rightly: at least {loss.low:.1%} of such crops, and "
                f"calibration.{key} allows {tolerance:.1%}; look at their labels, or: --accept",
            )
    return None
