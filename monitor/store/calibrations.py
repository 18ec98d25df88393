"""Thresholds and where they come from: every calibration that was ever made, refused ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sqlalchemy import case, delete, func, insert, select, update

from monitor.errors import DataError
from monitor.store.database.schema import calibrations, reference_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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


class ReferenceRow(NamedTuple):
    """A labelled crop that `monitor calibrate --data` was given, with a model's deciding score.

    ``mse`` is None where it was given to an older program.
    """

    sha256: str
    label: str
    score: float
    camera: str | None
    captured_at: datetime | None
    mse: float | None = None


class ReferenceRange(NamedTuple):
    """Where the scores of references lie; ``lowest_positive`` is None where none is above 0."""

    lowest: float
    lowest_positive: float | None
    highest: float


class ReferenceRanges(NamedTuple):
    """Of a model's references the ranges of the deciding score and of the mse; None where there are none."""

    score: ReferenceRange | None
    mse: ReferenceRange | None


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
    return _one(connection, calibrations.c.model_id == model_id, calibrations.c.state == "active")


def shadow(connection: Connection, model_id: int) -> CalibrationRow | None:
    """The calibration that is being tried beside the active one, if any."""
    return _one(connection, calibrations.c.model_id == model_id, calibrations.c.state == "shadow")


def of_run(connection: Connection, model_id: int, run_id: int) -> CalibrationRow | None:
    """What a scheduled run made of a model before it was interrupted, if anything."""
    return _one(connection, calibrations.c.model_id == model_id, calibrations.c.run_id == run_id)


def newest(connection: Connection, model_id: int, state: State) -> CalibrationRow | None:
    """The newest calibration of a model in this state."""
    return _one(connection, calibrations.c.model_id == model_id, calibrations.c.state == state)


def references_given_at(connection: Connection, model_id: int) -> datetime | None:
    """When somebody last chose the model's threshold from labelled folders."""
    by_hand = _one(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.origin == "calibrate",
        calibrations.c.state != "refused",
    )
    return None if by_hand is None else by_hand.created_at


def find(connection: Connection, calibration_id: int) -> CalibrationRow:
    """A calibration by its number; raises `DataError`."""
    row = _one(connection, calibrations.c.id == calibration_id)
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


def replace_references(connection: Connection, model_id: int, rows: Iterable[ReferenceRow]) -> None:
    """Keep the scores of the labelled crops that a threshold was chosen from, in place of those before."""
    connection.execute(delete(reference_scores).where(reference_scores.c.model_id == model_id))
    values = [{"model_id": model_id, **row._asdict()} for row in rows]
    if values:
        connection.execute(insert(reference_scores), values)


def references(connection: Connection, model_id: int) -> list[ReferenceRow]:
    """The scores that the model's threshold was first chosen from, in the order of their contents."""
    columns = [getattr(reference_scores.c, name) for name in ReferenceRow._fields]
    query = select(*columns).where(reference_scores.c.model_id == model_id).order_by(reference_scores.c.sha256)
    return [ReferenceRow._make(row) for row in connection.execute(query)]


def reference_ranges(connection: Connection, model_id: int) -> ReferenceRanges:
    """The ranges of the scores of the model's references."""
    return ReferenceRanges(
        *(_range(connection, model_id, reference_scores.c[name]) for name in ReferenceRanges._fields)
    )


def _range(connection: Connection, model_id: int, column: ColumnElement[Any]) -> ReferenceRange | None:
    positive = func.min(case((column > 0, column)))
    query = select(func.min(column), positive, func.max(column)).where(reference_scores.c.model_id == model_id)
    found = connection.execute(query).one()
    return None if found[0] is None else ReferenceRange._make(found)


def judged_since(connection: Connection, model_id: int, now: datetime) -> datetime | None:
    """When a threshold that counted was last held against the newest labels; one by hand was not chosen from them.

    What lies ahead of ``now`` was stored by a clock that ran ahead.
    """
    row = _one(
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


def _one(connection: Connection, *conditions: ColumnElement[bool]) -> CalibrationRow | None:
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
