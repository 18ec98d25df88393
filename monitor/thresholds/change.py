"""What came of a recalibration, and how it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.formulas.rates import Evaluation
    from monitor.store.calibrations import Origin
    from monitor.store.models import ModelRow


Result = Literal["activated", "unchanged", "shadow", "refused"]

Record: TypeAlias = "Callable[[Connection], object]"


@dataclass(frozen=True)
class ChangeRequest:
    """Who wants a change, when and why: ``accept`` switches the guard off, ``run_id`` is that of a scheduled run."""

    now: datetime
    origin: Origin
    run_id: int | None = None
    accept: bool = False
    author: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Change:
    """What became of one model's threshold; ``threshold`` is the one that was chosen, none where none was.

    ``before``: the threshold that was active before, if any. ``reason``: why it was refused, or what is being waited
    for. ``notes``: what a person should know of the evidence, also what was set aside. ``evaluation``: the chosen
    threshold on the very crops that it was chosen from, each counted once whatever it weighs.
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
