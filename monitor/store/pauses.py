"""Pauses as rows: when alarms are recorded and not told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select, update

from monitor.files.text import printable
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import alarm_pauses

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class PauseRow(NamedTuple):
    """A row of `alarm_pauses`; without a camera and a hole it is of everything."""

    id: int
    camera: str | None
    hole: int | None
    begins_at: datetime
    ends_at: datetime
    reason: str
    author: str
    ended_by: str | None

    @property
    def scope(self) -> str:
        """What it is of, in words."""
        camera = None if self.camera is None else f"camera {printable(self.camera)}"
        if self.hole is not None:
            return f"hole {self.hole} of {camera or 'every camera'}"
        return camera or "everything"


def add(
    connection: Connection,
    *,
    camera: str | None,
    hole: int | None,
    begins_at: datetime,
    ends_at: datetime,
    reason: str,
    author: str,
) -> PauseRow:
    """Store a pause."""
    values = (camera, hole, begins_at, ends_at, reason, author, None)
    row = dict(zip(PauseRow._fields[1:], values, strict=True))
    key = connection.execute(insert(alarm_pauses).values(**row)).inserted_primary_key
    assert key is not None
    return PauseRow(int(key[0]), *values)


def find(connection: Connection, pause_id: int) -> PauseRow | None:
    """The pause with this id; None if there is none."""
    query = select(*columns_of(alarm_pauses, PauseRow)).where(alarm_pauses.c.id == pause_id)
    return next(iter(select_rows(connection, PauseRow, query)), None)


def running(connection: Connection, now: datetime) -> list[PauseRow]:
    """The pauses that run, the one that ends first coming first."""
    query = select(*columns_of(alarm_pauses, PauseRow)).where(
        alarm_pauses.c.ends_at > now, alarm_pauses.c.begins_at <= now
    )
    return select_rows(connection, PauseRow, query.order_by(alarm_pauses.c.ends_at, alarm_pauses.c.id))


def newest(connection: Connection, most: int | None) -> list[PauseRow]:
    """All pauses, those that are over too, the newest first."""
    query = select(*columns_of(alarm_pauses, PauseRow)).order_by(alarm_pauses.c.id.desc()).limit(most)
    return select_rows(connection, PauseRow, query)


def end(connection: Connection, pause_id: int, *, by: str, at: datetime) -> bool:
    """End a pause before its time; False where it does not run."""
    done = (
        update(alarm_pauses)
        .where(alarm_pauses.c.id == pause_id, alarm_pauses.c.ends_at > at)
        .values(ends_at=at, ended_by=by)
    )
    return connection.execute(done).rowcount == 1
