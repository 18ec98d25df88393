"""Thresholds and where they come from: every calibration that was ever made, including refused ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import insert, select, update

from monitor.errors import DataError
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import calibrations, models
from monitor.words import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

State = Literal["active", "shadow", "refused", "superseded", "rolled_back"]
# What made a calibration: `monitor calibrate` from labelled folders, the nightly run, `monitor recalibrate` from the
# stored labels, or a threshold set by hand.
Origin = Literal["calibrate", "nightly", "recalibrate", "set"]


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
    """Store a calibration and return its id; an active one supersedes the previous one and ends a running trial."""
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
    """The calibration that the model's threshold comes from; None if it has no threshold yet."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == "active")


def shadow(connection: Connection, model_id: int) -> CalibrationRow | None:
    """The calibration on trial beside the active one, or None."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == "shadow")


def of_run(connection: Connection, model_id: int, run_id: int) -> CalibrationRow | None:
    """The calibration that a scheduled run stored for the model before it was interrupted, or None."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.run_id == run_id)


def newest(connection: Connection, model_id: int, state: State) -> CalibrationRow | None:
    """The model's newest calibration in this state, or None."""
    return newest_row(connection, calibrations.c.model_id == model_id, calibrations.c.state == state)


def find(connection: Connection, calibration_id: int) -> CalibrationRow:
    """The calibration with this id; raises `DataError` if there is none."""
    row = newest_row(connection, calibrations.c.id == calibration_id)
    if row is None:
        raise DataError(f"there is no calibration {calibration_id}; see: monitor threshold list")
    return row


def history(connection: Connection, *model_ids: int, most: int = 1000) -> list[CalibrationRow]:
    """The newest ``most`` calibrations of these models, or of all models, newest first."""
    conditions = [calibrations.c.model_id.in_(model_ids)] if model_ids else []
    return _rows(connection, *conditions, most=most)


def promote(connection: Connection, row: CalibrationRow, evidence: Mapping[str, Any], now: datetime) -> None:
    """Make a calibration on trial the active one; ``evidence`` is what the trial adds to its own."""
    _end(connection, row.model_id, "active", "superseded", now)
    values = {"state": "active", "evidence": {**row.evidence, **evidence}, "reason": None}
    connection.execute(update(calibrations).where(calibrations.c.id == row.id).values(**values))


def refuse(
    connection: Connection, row: CalibrationRow, refusal: str, reason: str, evidence: Mapping[str, Any], now: datetime
) -> None:
    """Refuse a calibration on trial; ``evidence`` is what the trial adds to its own."""
    values = {"state": "refused", "refusal": refusal, "reason": reason, "ended_at": now}
    values |= {"evidence": {**row.evidence, **evidence}}
    connection.execute(update(calibrations).where(calibrations.c.id == row.id).values(**values))


def roll_back(connection: Connection, model_id: int, now: datetime) -> tuple[CalibrationRow, CalibrationRow] | None:
    """Make the model's previous threshold active again; return (the calibration left, the one active now).

    Returns None if there is no previous one. Calibrations that were rolled back are passed over, so a second rollback
    goes one further back.
    """
    current = active(connection, model_id)
    ended = _rows(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.state == "superseded",
        most=1000,
        newest_by=calibrations.c.ended_at,
    )
    # Going back to a calibration with the same threshold would change nothing.
    before = next((row for row in ended if current is not None and row.threshold != current.threshold), None)
    if current is None or before is None:
        return None
    _withdraw(connection, model_id, now)
    _end(connection, model_id, "active", "rolled_back", now)
    values = {"state": "active", "ended_at": None}
    connection.execute(update(calibrations).where(calibrations.c.id == before.id).values(**values))
    return current, before


def judged_since(connection: Connection, model_id: int, now: datetime) -> datetime | None:
    """When a threshold was last chosen from the labels and became active; one set by hand was not chosen from them.

    Calibrations with a time after ``now`` are ignored: a clock that ran ahead stored them.
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
    """End the model's trial, if one is running."""
    trial = shadow(connection, model_id)
    if trial is not None:
        sentence = "the active threshold was changed before its trial was over"
        refuse(connection, trial, Refusal.WITHDRAWN.value, sentence, {}, now)


def _end(connection: Connection, model_id: int, state: State, then: State, now: datetime) -> None:
    connection.execute(
        update(calibrations)
        .where(calibrations.c.model_id == model_id, calibrations.c.state == state)
        .values(state=then, ended_at=now)
    )


def newest_row(connection: Connection, *conditions: ColumnElement[bool]) -> CalibrationRow | None:
    """The calibration that was stored last of those that meet the conditions, or None."""
    return next(iter(_rows(connection, *conditions, most=1)), None)


def _rows(
    connection: Connection,
    *conditions: ColumnElement[bool],
    most: int,
    newest_by: ColumnElement[Any] = calibrations.c.id,
) -> list[CalibrationRow]:
    query = select(*columns_of(calibrations, CalibrationRow)).where(*conditions)
    # Programs before schema 0003 stored no end of a calibration. PostgreSQL would take it for later than any.
    query = query.order_by(newest_by.desc().nulls_last(), calibrations.c.id.desc()).limit(most)
    return select_rows(connection, CalibrationRow, query)


class ThresholdOrigin(NamedTuple):
    """When a detector's active threshold was chosen, and whether by the fallback rule, which needs no proliv."""

    detector: str
    fallback: bool
    created_at: datetime


def active_thresholds(connection: Connection) -> list[ThresholdOrigin]:
    """Where the thresholds of the active models come from, in the order of the detectors' names."""
    query = (
        select(models.c.detector, calibrations.c.fallback, calibrations.c.created_at)
        .join(calibrations, calibrations.c.model_id == models.c.id)
        .where(models.c.active, calibrations.c.state == "active")
        .order_by(models.c.detector)
    )
    return select_rows(connection, ThresholdOrigin, query)
