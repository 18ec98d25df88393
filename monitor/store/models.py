"""Stored models: added, found, made active and rolled back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, select, update

from monitor.errors import NoModelError
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import calibrations, models
from monitor.store.database.upsert import upsert
from monitor.store.retrainings import activated, unaccepted_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class ModelRow(NamedTuple):
    """A row of `models`, with the threshold, id, rule and evidence of its active calibration if it has one."""

    id: int
    name: str
    detector: str
    fingerprint: str
    folder: str
    settings: dict[str, Any]
    trained_at: datetime
    active: bool
    activated_at: datetime | None
    threshold: float | None
    calibration_id: int | None
    rule: str | None
    evidence: dict[str, Any] | None = None


def add_model(
    connection: Connection, *, name: str, detector: str, fingerprint: str, folder: str, settings: Mapping[str, Any]
) -> None:
    """Store a trained model; if its fingerprint is stored already, only its ``trained_at`` changes, to now."""
    now = datetime.now(UTC)
    statement = upsert(connection.dialect.name, models).on_conflict_do_update(
        index_elements=["fingerprint"], set_={"trained_at": now}
    )
    values = {"name": name, "detector": detector, "fingerprint": fingerprint, "folder": folder}
    connection.execute(statement, {**values, "settings": dict(settings), "trained_at": now, "active": False})


def all_models(connection: Connection) -> list[ModelRow]:
    """Every model, newest first."""
    return _model_rows(connection)


def active_models(connection: Connection) -> list[ModelRow]:
    """The active models, the last one activated first; that one is the primary."""
    rows = _model_rows(connection, models.c.active)
    return sorted(rows, key=lambda row: (row.activated_at, row.id), reverse=True)


def newest_models(connection: Connection) -> list[ModelRow]:
    """The model of each detector that was trained last, newest first; not one that labels made and nobody accepted."""
    unaccepted = unaccepted_models(connection)
    newest: dict[str, ModelRow] = {}
    for row in _model_rows(connection):
        if row.active or row.id not in unaccepted:
            newest.setdefault(row.detector, row)
    return list(newest.values())


def find_model(connection: Connection, name: str) -> ModelRow:
    """The one model with this name, or the one whose name or fingerprint begins with it; raises `NoModelError`."""
    rows = _model_rows(connection)
    exact = [row for row in rows if row.name == name]
    matches = exact or [row for row in rows if name and (row.name.startswith(name) or row.fingerprint.startswith(name))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(row.name for row in matches)
        raise NoModelError(f"{name!r} names several models: {names}; give one whole name")
    raise NoModelError(f"there is no model {name!r}; see: monitor models list")


def named_or_active(connection: Connection, names: Sequence[str]) -> list[ModelRow]:
    """The models with these names as for `find_model`, or all active models if there are no names."""
    return [find_model(connection, name) for name in names] or active_models(connection)


def activate_model(connection: Connection, model: ModelRow) -> None:
    """Make a model its detector's active one; raises `NoModelError` if it has no threshold.

    If a person tries it in the shadow, that ends.
    """
    if model.threshold is None:
        raise NoModelError(
            f"{model.name} has no threshold yet, so it cannot decide anything; "
            f"calibrate it: monitor calibrate --model {model.name} --data DIR"
        )
    now = datetime.now(UTC)
    connection.execute(update(models).where(models.c.detector == model.detector).values(active=False))
    connection.execute(update(models).where(models.c.id == model.id).values(active=True, activated_at=now))
    activated(connection, model.id, now)


def take_over(connection: Connection, former: ModelRow | None, new: ModelRow, now: datetime) -> None:
    """Make a model active in place of its detector's former one, which stays the primary if it was."""
    rows = active_models(connection)
    activate_model(connection, new)
    at = now
    if former is not None and rows[0].id != former.id and former.activated_at is not None:
        # The model that became active last is the primary, so another detector's would lose its place.
        at = former.activated_at
    connection.execute(update(models).where(models.c.id == new.id).values(activated_at=at))


def rollback_model(connection: Connection, detector: str) -> tuple[ModelRow, ModelRow]:
    """Make the detector's previous model active again; return (the model left, the model active now).

    Raises `NoModelError` if no model is active, or none was active before it.
    """
    rows = _model_rows(connection, models.c.detector == detector)
    current = next((row for row in rows if row.active), None)
    if current is None:
        raise NoModelError(f"the detector {detector!r} has no active model to roll back from")
    before = [row for row in rows if not row.active and row.activated_at and row.threshold is not None]
    if not before:
        raise NoModelError(f"no model of the detector {detector!r} was active before {current.name}")
    previous = max(before, key=lambda row: (row.activated_at, row.id))
    # Without a time of activation it is no candidate, so a second rollback goes one further back, not here again.
    connection.execute(update(models).where(models.c.id == current.id).values(active=False, activated_at=None))
    connection.execute(update(models).where(models.c.id == previous.id).values(active=True))
    activated(connection, previous.id, datetime.now(UTC))
    return current, previous


def _model_rows(connection: Connection, *conditions: ColumnElement[bool]) -> list[ModelRow]:
    active = and_(calibrations.c.model_id == models.c.id, calibrations.c.state == "active")
    query = (
        select(
            *(getattr(models.c, name) for name in ModelRow._fields[:9]),
            calibrations.c.threshold,
            calibrations.c.id.label("calibration_id"),
            calibrations.c.rule,
            calibrations.c.evidence,
        )
        .outerjoin(calibrations, active)
        .where(*conditions)
        .order_by(models.c.trained_at.desc(), models.c.id.desc())
    )
    return select_rows(connection, ModelRow, query)
