"""Thresholds and where they come from: every calibration that was ever made, refused ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sqlalchemy import insert, select, update

from monitor.errors import DataError
from monitor.store.database.schema import calibrations, models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

State = Literal["active", "shadow", "refused", "superseded", "rolled_back"]
Origin = Literal["calibrate", "nightly", "recalibrate", "set"]
"""What made a calibration: a person with labelled folders, the night, a person from what is stored, or by hand."""


WITHDRAWN: Final = "withdrawn"
"""Why a trial was ended that another change overtook."""


class CalibrationRow(NamedTuple):
    """A row of `calibrations`."""

    id: int
    model_id: int
    rule: str
    settings: dict[str, Any]
    threshold: float | None
    evidence: dict[str, Any]
    state: str
    reason: str | None
    created_at: datetime
    origin: str
    author: str | None
    fallback: bool
    refusal: str | None
    ended_at: datetime | None
    run_id: int | None


def add(
    connection: Connection,
    *,
    model_id: int,
    rule: str,
    settings: Mapping[str, Any],
    threshold: float | None,
    evidence: Mapping[str, Any],
    now: datetime,
    state: State = "active",
    origin: Origin = "calibrate",
    reason: str | None = None,
    author: str | None = None,
    fallback: bool = False,
    refusal: str | None = None,
    run_id: int | None = None,
) -> int:
    """Store a calibration and return its id; an active one supersedes the one before, and ends a trial."""
    if state == "active":
        _withdraw(connection, model_id, now)
        _end(connection, model_id, "active", "superseded", now)
    result = connection.execute(
        insert(calibrations).values(
            model_id=model_id,
            rule=rule,
            settings=dict(settings),
            threshold=threshold,
            evidence=dict(evidence),
            state=state,
            reason=reason,
            created_at=now,
            origin=origin,
            author=author,
            fallback=fallback,
            refusal=refusal,
            run_id=run_id,
        )
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def active(connection: Connection, model_id: int) -> CalibrationRow | None:
    """The calibration that the model's threshold comes from; none where it has no threshold yet."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == "active")


def shadow(connection: Connection, model_id: int) -> CalibrationRow | None:
    """The calibration that is being tried beside the active one, if any."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == "shadow")


def of_run(connection: Connection, model_id: int, run_id: int) -> CalibrationRow | None:
    """What a scheduled run made of a model before it was interrupted, if anything."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.run_id == run_id)


def newest(connection: Connection, model_id: int, state: State) -> CalibrationRow | None:
    """The newest calibration of a model in this state."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == state)


def find(connection: Connection, calibration_id: int) -> CalibrationRow:
    """A calibration by its number; raises `DataError`."""
    row = newest_row(connection, calibrations.c.id == calibration_id)
    if row is None:
        raise DataError(f"there is no calibration {calibration_id}; see: monitor threshold list")
    return row


def history(connection: Connection, model_id: int | None = None, *, most: int = 1000) -> list[CalibrationRow]:
    """The calibrations of a model, or of all, the newest first."""
    conditions = [] if model_id is None else [calibrations.c.model_id == model_id]
    return _rows(connection, *conditions, most=most)


def promote(connection: Connection, row: CalibrationRow, evidence: Mapping[str, Any], now: datetime) -> None:
    """Let a calibration that was tried in the shadow decide; ``evidence`` is what the trial adds to its own."""
    _end(connection, row.model_id, "active", "superseded", now)
    values = {"state": "active", "evidence": {**row.evidence, **evidence}, "reason": None}
    connection.execute(update(calibrations).where(calibrations.c.id == row.id).values(**values))


def refuse(
    connection: Connection, row: CalibrationRow, refusal: str, reason: str, evidence: Mapping[str, Any], now: datetime
) -> None:
    """Refuse a calibration that was tried in the shadow; ``evidence`` is what the trial adds to its own."""
    values = {"state": "refused", "refusal": refusal, "reason": reason, "ended_at": now}
    values |= {"evidence": {**row.evidence, **evidence}}
    connection.execute(update(calibrations).where(calibrations.c.id == row.id).values(**values))


def roll_back(connection: Connection, model_id: int, now: datetime) -> tuple[CalibrationRow, CalibrationRow] | None:
    """Give a model back the threshold before; return (the one left, the one active now), none without one before.

    What was rolled back once is passed over, so that a second rollback goes one further back.
    """
    current = active(connection, model_id)
    ended = _rows(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.state == "superseded",
        most=1000,
        newest_by=calibrations.c.ended_at,
    )
    # What was accepted without moving the threshold is nothing to go back to.
    before = next((row for row in ended if current is not None and row.threshold != current.threshold), None)
    if current is None or before is None:
        return None
    _withdraw(connection, model_id, now)
    _end(connection, model_id, "active", "rolled_back", now)
    values = {"state": "active", "ended_at": None}
    connection.execute(update(calibrations).where(calibrations.c.id == before.id).values(**values))
    return current, before


def judged_since(connection: Connection, model_id: int, now: datetime) -> datetime | None:
    """When a threshold that counted was last held against the newest labels; one by hand was not chosen from them.

    What lies ahead of ``now`` was stored by a clock that ran ahead.
    """
    row = newest_row(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.origin != "set",
        calibrations.c.state.in_(("active", "superseded")),
        calibrations.c.created_at <= now,
    )
    return None if row is None else row.created_at


def _withdraw(connection: Connection, model_id: int, now: datetime) -> None:
    """End a trial whose threshold never counted."""
    trial = shadow(connection, model_id)
    if trial is not None:
        refuse(connection, trial, WITHDRAWN, "the active threshold was changed before its trial was over", {}, now)


def _end(connection: Connection, model_id: int, state: State, then: State, now: datetime) -> None:
    connection.execute(
        update(calibrations)
        .where(calibrations.c.model_id == model_id, calibrations.c.state == state)
        .values(state=then, ended_at=now)
    )


def newest_row(connection: Connection, *conditions: ColumnElement[bool]) -> CalibrationRow | None:
    """The newest calibration that meets the conditions; none where there is none."""
    return next(iter(_rows(connection, *conditions, most=1)), None)


def _rows(
    connection: Connection,
    *conditions: ColumnElement[bool],
    most: int,
    newest_by: ColumnElement[Any] = calibrations.c.id,
) -> list[CalibrationRow]:
    columns = [getattr(calibrations.c, name) for name in CalibrationRow._fields]
    query = select(*columns).where(*conditions).order_by(newest_by.desc(), calibrations.c.id.desc()).limit(most)
    return [CalibrationRow._make(row) for row in connection.execute(query)]


class ThresholdOrigin(NamedTuple):
    """Of a detector's active threshold, when it was chosen, and whether by the rule that needs no proliv."""

    detector: str
    fallback: bool
    created_at: datetime


def active_thresholds(connection: Connection) -> list[ThresholdOrigin]:
    """Where the thresholds of the active models come from."""
    query = (
        select(models.c.detector, calibrations.c.fallback, calibrations.c.created_at)
        .join(calibrations, calibrations.c.model_id == models.c.id)
        .where(models.c.active, calibrations.c.state == "active")
        .order_by(models.c.detector)
    )
    return [ThresholdOrigin._make(row) for row in connection.execute(query)]
