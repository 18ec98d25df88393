"""Ends alarms: a person acknowledges or closes one, or its event is over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.alarms.messages import tell
from monitor.alarms.telling import kinds_to_tell
from monitor.alarms.wording import about_row
from monitor.errors import DataError
from monitor.store import alarms
from monitor.times import on_clock

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from sqlalchemy.engine import Connection

    from monitor.alarms.messages import Kind
    from monitor.configuration.settings import Alarms
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database


def acknowledge(
    database: Database, settings: Alarms, alarm_id: int, *, by: str, note: str | None, at: datetime, zone: tzinfo
) -> AlarmRow:
    """Acknowledge an alarm, which also closes it where its event is over; returns it as it is then.

    ``zone``: the plant's, in which times are said. Raises `DataError` for an alarm that is unknown, acknowledged
    already, or closed.
    """
    with database.write() as connection:
        alarms.lock(connection)
        if not alarms.acknowledge(connection, alarm_id, by=by, note=note, at=at):
            row = _found(connection, alarm_id)
            if row.state == "closed":
                raise DataError(f"{_closed(row, zone)}; there is nothing to acknowledge")
            assert row.acknowledged_at is not None
            raise DataError(
                f"alarm {row.id} ({about_row(row)}) was acknowledged by {row.acknowledged_by} at "
                f"{on_clock(row.acknowledged_at, zone)} already; nothing is changed"
            )
        row = _found(connection, alarm_id)
        _tell(connection, settings, row, "acknowledged", at)
        if row.last_decided_at < at - timedelta(seconds=settings.pause_seconds):
            alarms.close(connection, alarm_id, ended_by="acknowledgement", at=at)
            _tell(connection, settings, row, "closed", at)
        return _found(connection, alarm_id)


def close(
    database: Database, settings: Alarms, alarm_id: int, *, by: str, note: str | None, at: datetime, zone: tzinfo
) -> AlarmRow:
    """Close an alarm even though its event may go on: the next proliv opens another one. Returns it.

    Raises `DataError` for an alarm that is unknown or closed.
    """
    with database.write() as connection:
        alarms.lock(connection)
        if not alarms.close(connection, alarm_id, ended_by="person", at=at, by=by, note=note):
            raise DataError(f"{_closed(_found(connection, alarm_id), zone)} already; nothing is changed")
        row = _found(connection, alarm_id)
        _tell(connection, settings, row, "closed", at)
        return row


def end_quiet(database: Database, settings: Alarms, now: datetime) -> list[AlarmRow]:
    """Close the alarms whose event is over and that nobody has to acknowledge any more; returns them as they were."""
    before = now - timedelta(seconds=settings.pause_seconds)
    even_open = settings.ends == "quiet"
    with database.read() as connection:
        due = alarms.quiet(connection, before, even_open=even_open)
    if not due:
        return []
    with database.write() as connection:
        alarms.lock(connection)
        # Once more: a crop may have joined meanwhile.
        due = alarms.quiet(connection, before, even_open=even_open)
        for row in due:
            ended_by = "quiet" if even_open or row.state == "open" else "acknowledgement"
            alarms.close(connection, row.id, ended_by=ended_by, at=now)
            _tell(connection, settings, row, "closed", now)
    return due


def _tell(connection: Connection, settings: Alarms, row: AlarmRow, change: Kind, at: datetime) -> None:
    for kind in kinds_to_tell(change, was_told=row.withheld is None):
        tell(connection, settings.sinks, row.id, kind, at)


def _found(connection: Connection, alarm_id: int) -> AlarmRow:
    row = alarms.find(connection, alarm_id)
    if row is None:
        raise DataError(f"there is no alarm {alarm_id}; see: monitor alarms list --closed")
    return row


def _closed(row: AlarmRow, zone: tzinfo) -> str:
    assert row.closed_at is not None
    how = f"by {row.closed_by}" if row.closed_by else "by itself"
    if row.part_of is not None:
        how = f"when it became part of alarm {row.part_of}"
    return f"alarm {row.id} ({about_row(row)}) was closed {how} at {on_clock(row.closed_at, zone)}"


def require(database: Database, alarm_id: int) -> AlarmRow:
    """The alarm with this id; raises `DataError` where there is none."""
    with database.read() as connection:
        return _found(connection, alarm_id)
