"""The crops of alarms as rows: what opened an alarm or joined it, and what waits for others to open one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, delete, or_, select, update

from monitor.files.chunks import chunks
from monitor.store.alarms import PROLIV, SUBJECTS_AT_ONCE
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import alarm_crops, crops
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.alarms import Subject


class AlarmCrop(NamedTuple):
    """A proliv of the line, or an unusual crop (its ``sign``), with its alarm; None while it has opened none."""

    crop_id: int
    alarm_id: int | None
    camera: str
    hole: int
    place: str
    at: datetime
    score: float
    threshold: float
    sign: str = PROLIV


class ShownCrop(NamedTuple):
    """A crop of an alarm, for a person."""

    id: int
    path: str
    at: datetime
    score: float
    threshold: float


def known(connection: Connection, crop_ids: Collection[int]) -> dict[int, str]:
    """Those of these crops that belong to an alarm, or wait for one, already, with their signs."""
    query = select(alarm_crops.c.crop_id, alarm_crops.c.sign).where(alarm_crops.c.crop_id.in_(sorted(crop_ids)))
    return {row.crop_id: row.sign for row in connection.execute(query)}


def forget_crops(connection: Connection, crop_ids: Collection[int]) -> None:
    """Forget to which alarms crops belong, whose alarms keep their count of them."""
    if crop_ids:
        connection.execute(delete(alarm_crops).where(alarm_crops.c.crop_id.in_(sorted(crop_ids))))


def waiting(
    connection: Connection, sign: str, subjects: Collection[Subject], since: datetime, until: datetime
) -> list[AlarmCrop]:
    """The crops about these subjects, with times in [since, until], that have opened no alarm yet."""
    found: list[AlarmCrop] = []
    # In pieces: SQLite takes no condition that is nested a thousand times, as so many alternatives are.
    for some in chunks(sorted(subjects), SUBJECTS_AT_ONCE):
        of = or_(*(and_(*(alarm_crops.c[name] == value for name, value in one._asdict().items())) for one in some))
        query = select(*columns_of(alarm_crops, AlarmCrop)).where(
            *(of, alarm_crops.c.alarm_id.is_(None), alarm_crops.c.sign == sign),
            *(alarm_crops.c.at >= since, alarm_crops.c.at <= until),
        )
        found += select_rows(connection, AlarmCrop, query)
    return sorted(found, key=lambda row: (row.at, row.crop_id))


def add_crops(connection: Connection, rows: Sequence[AlarmCrop]) -> None:
    """Store crops with their alarms."""
    if rows:
        connection.execute(insert_unless_there(connection, alarm_crops), [row._asdict() for row in rows])


def give_crops(connection: Connection, rows: Sequence[AlarmCrop]) -> None:
    """Give an alarm to crops that are stored without one."""
    if rows:
        statement = update(alarm_crops).where(alarm_crops.c.crop_id == bindparam("this"))
        values = [{"this": row.crop_id, "alarm": row.alarm_id} for row in rows]
        connection.execute(statement.values(alarm_id=bindparam("alarm")), values)


def move_crops(connection: Connection, alarm_id: int, to: int) -> None:
    """Give the crops of an alarm to another one."""
    connection.execute(update(alarm_crops).where(alarm_crops.c.alarm_id == alarm_id).values(alarm_id=to))


def crops_of(connection: Connection, alarm_id: int, most: int) -> list[ShownCrop]:
    """The newest ``most`` crops of an alarm, the oldest of them first."""
    query = (
        select(crops.c.id, crops.c.path, alarm_crops.c.at, alarm_crops.c.score, alarm_crops.c.threshold)
        .join(crops, crops.c.id == alarm_crops.c.crop_id)
        .where(alarm_crops.c.alarm_id == alarm_id)
        .order_by(alarm_crops.c.crop_id.desc())
        .limit(most)
    )
    return select_rows(connection, ShownCrop, query)[::-1]
