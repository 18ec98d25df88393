"""A change of a model's threshold: who asks for it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.formulas.rates import Evaluation
    from monitor.store.calibrations import Origin
    from monitor.store.models import ModelRow

UTC_CLOCK: Final = ZoneInfo("UTC")

Result = Literal["activated", "unchanged", "shadow", "refused"]

# Writes what a change leaves in the store.
Record: TypeAlias = "Callable[[Connection], object]"


@dataclass(frozen=True)
class ChangeRequest:
    """Who asks for a change, when and why.

    ``run_id``: the scheduled run that asks, if one does. ``accept``: whether to take what the guard would refuse.
    ``zone``: the plant's clock, on which the sentences about the change tell times. ``floods_accepted_until``: until
    when floods of labels were accepted, for a model that takes another one's place; None: as the model's active
    calibration says.
    """

    now: datetime
    origin: Origin
    run_id: int | None = None
    accept: bool = False
    author: str | None = None
    reason: str | None = None
    zone: ZoneInfo = UTC_CLOCK
    floods_accepted_until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """What became of one model's threshold.

    ``before``: the threshold that was active before, if any. ``threshold``: the one that was chosen, None where none
    was. ``reason``: why it was refused, or what it is waiting for. ``notes``: what a person should know about the
    evidence, including what was set aside. ``evaluation``: what the chosen threshold does to the crops that it was
    chosen from, each counted once whatever its weight. ``activates``: whether the model itself becomes its detector's
    active one with it.
    """

    model: ModelRow
    result: Result
    before: float | None
    threshold: float | None
    rule: str
    fallback: bool = False
    refusal: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    evaluation: Evaluation | None = None
    activates: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "model": self.model.name,
            "detector": self.model.detector,
            "result": self.result,
            "threshold": self.threshold,
            "before": self.before,
            "rule": self.rule,
            "fallback": self.fallback,
            "refusal": self.refusal,
            "reason": self.reason,
            "notes": list(self.notes),
            "evaluation": self.evaluation.as_dict() if self.evaluation else None,
        }
