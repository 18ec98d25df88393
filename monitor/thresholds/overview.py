"""How the thresholds stand: which are active, in trial or refused, and what changes between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.store import calibrations
from monitor.store.models import active_models
from monitor.store.replay import Span, between, nearest, replay
from monitor.times import iso
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow
    from monitor.store.replay import NearCrop, Replayed

# Crops that a `Difference` names.
NEAREST: Final = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """A threshold that is tried beside the active one, and how it would have decided since."""

    calibration: CalibrationRow
    seen: Replayed


@dataclass(frozen=True, slots=True)
class Overview:
    """The thresholds of one active model; ``refused``: the last one, if it was refused after ``active`` was made."""

    model: str
    active: CalibrationRow | None
    trial: Trial | None
    refused: CalibrationRow | None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON; the key of the trial is ``shadow``."""
        return {
            "model": self.model,
            "active": as_dict(self.active) if self.active else None,
            "shadow": {**as_dict(self.trial.calibration), "seen": self.trial.seen._asdict()} if self.trial else None,
            "refused": as_dict(self.refused) if self.refused else None,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """The ``changed`` stored crops that the thresholds ``a`` and ``b`` decide differently.

    ``becomes``: their verdict by ``b``. ``nearest``: those whose score is nearest ``b``, at most `NEAREST`.
    """

    model: str
    a: float
    b: float
    changed: int
    becomes: Label
    nearest: Sequence[NearCrop]

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "model": self.model,
            "a": self.a,
            "b": self.b,
            "changed": self.changed,
            "becomes": self.becomes.value,
            "nearest": [crop._asdict() for crop in self.nearest],
        }


def overviews(connection: Connection) -> list[Overview]:
    """The thresholds of every active model, the primary first."""
    return [_overview(connection, model) for model in active_models(connection)]


def _overview(connection: Connection, model: ModelRow) -> Overview:
    active = calibrations.active(connection, model.id)
    shadow = calibrations.shadow(connection, model.id)
    refused = calibrations.newest(connection, model.id, "refused")
    if refused and active and refused.created_at < active.created_at:
        refused = None
    trial = None
    if shadow is not None and shadow.threshold is not None:
        span = Span(since=shadow.created_at, in_operation=True)
        trial = Trial(shadow, replay(connection, model.id, shadow.threshold, span))
    return Overview(model.name, active, trial, refused)


def difference(connection: Connection, model: ModelRow, a: float, b: float) -> Difference:
    """Find the stored crops of a model whose verdict would change from the threshold ``a`` to ``b``."""
    low, high = sorted((a, b))
    return Difference(
        model=model.name,
        a=a,
        b=b,
        changed=between(connection, model.id, low, high),
        becomes=Label.PROLIV if b < a else Label.NE_PROLIV,
        nearest=nearest(connection, model.id, low, high, to=b, most=NEAREST),
    )


def as_dict(row: CalibrationRow) -> dict[str, Any]:
    """A calibration by the names of its columns, ready for JSON, without the percentiles of its evidence."""
    evidence = {key: value for key, value in row.evidence.items() if not key.endswith("_percentiles")}
    return {**row._asdict(), "created_at": iso(row.created_at), "ended_at": iso(row.ended_at), "evidence": evidence}
