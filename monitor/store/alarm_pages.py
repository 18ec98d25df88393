"""What a person looks at of alarms: those that are not closed and pages of those that are, and the crops around one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import case, func, select

from monitor.store.alarms import AlarmRow, alarm_rows, is_running
from monitor.store.conditions import in_operation, stands
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_crops, alarms, casts, crops, labels

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# Around an alarm's first and last crop so many crops of the line are searched for those of its hole.
AROUND: Final = 10_000


class SeenCrop(NamedTuple):
    """A decided crop; ``at``: the time in its name, or else when it was first seen."""

    id: int
    hole: int | None
    at: datetime
    score: float | None
    threshold: float | None
    verdict: str | None
    unusual: bool


class Span(NamedTuple):
    """The first and the last crop of an alarm by their ids."""

    first: int
    last: int


class Said(NamedTuple):
    """What a person said of crops of an alarm: of how many, and when last."""

    author: str | None
    label: str
    crops: int
    at: datetime


def not_closed(connection: Connection, most: int, cast: str | None = None) -> list[AlarmRow]:
    """The first ``most`` alarms that are not closed: what waits for a person, what one took, what nobody was told of.

    Of each the oldest first. ``cast``: only of casts with this number.
    """
    order = case((alarms.c.withheld.is_not(None), 2), (alarms.c.state == "open", 0), else_=1)
    query = alarm_rows().where(is_running(), *_of_cast(cast)).order_by(order, alarms.c.id).limit(most)
    return select_rows(connection, AlarmRow, query)


def closed(connection: Connection, most: int, *, before: int | None = None, cast: str | None = None) -> list[AlarmRow]:
    """The newest ``most`` closed alarms, of ids below ``before``; ``cast``: only of casts with this number."""
    query = alarm_rows().where(alarms.c.state == "closed", *_of_cast(cast))
    if before is not None:
        query = query.where(alarms.c.id < before)
    return select_rows(connection, AlarmRow, query.order_by(alarms.c.id.desc()).limit(most))


def span(connection: Connection, alarm_id: int) -> Span | None:
    """Where an alarm's crops lie among all; None where retention has deleted them."""
    query = select(func.min(alarm_crops.c.crop_id), func.max(alarm_crops.c.crop_id))
    first, last = connection.execute(query.where(alarm_crops.c.alarm_id == alarm_id)).one()
    return None if first is None else Span(first, last)


def around(connection: Connection, camera: str, hole: int, of: Span, most: int) -> list[SeenCrop]:
    """The crops of a hole around those of an alarm, by their ids: at most ``most``, half of them from before its first.

    ``camera``: "" where it is unknown.
    """
    named = crops.c.camera == camera if camera else crops.c.camera.is_(None)
    query = select(*_seen()).where(crops.c.hole == hole, named, crops.c.state == "scored", in_operation())
    before = query.where(crops.c.id < of.first, crops.c.id >= of.first - AROUND).order_by(crops.c.id.desc())
    after = query.where(crops.c.id >= of.first, crops.c.id <= of.last + AROUND).order_by(crops.c.id)
    return [
        *select_rows(connection, SeenCrop, before.limit(most // 2))[::-1],
        *select_rows(connection, SeenCrop, after.limit(most - most // 2)),
    ]


def newest_members(connection: Connection, alarm_id: int, most: int) -> list[SeenCrop]:
    """The newest ``most`` crops of an alarm, the oldest of them first."""
    query = select(*_seen()).join(alarm_crops, alarm_crops.c.crop_id == crops.c.id)
    query = query.where(alarm_crops.c.alarm_id == alarm_id).order_by(alarm_crops.c.crop_id.desc()).limit(most)
    return select_rows(connection, SeenCrop, query)[::-1]


def seen(connection: Connection, crop_ids: Collection[int]) -> list[SeenCrop]:
    """These crops, by their ids."""
    query = select(*_seen()).where(crops.c.id.in_(sorted(crop_ids))).order_by(crops.c.id)
    return select_rows(connection, SeenCrop, query)


def said(connection: Connection, alarm_id: int) -> list[Said]:
    """What people said of an alarm's crops and did not take back, by author and label."""
    query = (
        select(labels.c.author, labels.c.label, func.count(labels.c.crop_id.distinct()), func.max(labels.c.at))
        .join(alarm_crops, alarm_crops.c.crop_id == labels.c.crop_id)
        .where(alarm_crops.c.alarm_id == alarm_id, stands())
        .group_by(labels.c.author, labels.c.label)
    )
    return select_rows(connection, Said, query)


def _seen() -> list[ColumnElement[Any]]:
    at = func.coalesce(crops.c.captured_at, crops.c.seen_at).label("at")
    return [
        *(crops.c.id, crops.c.hole, at, crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict),
        crops.c.unusual,
    ]


def _of_cast(number: str | None) -> list[ColumnElement[bool]]:
    if number is None:
        return []
    return [alarms.c.cast_id.in_(select(casts.c.id).where(casts.c.number == number))]
