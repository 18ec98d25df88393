"""The newest crops of each hole, by ids: a page asks twice a second what came, and never for all crops."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Integer, func, literal, select

from monitor.store.arrivals import seconds_of
from monitor.store.conditions import in_operation
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import crops, scores

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class NewestCrop(NamedTuple):
    """A crop of a hole; ``score`` and ``threshold``: of the final decision, None where none could be made."""

    id: int
    camera: str | None
    hole: int
    seen_at: datetime
    state: str
    verdict: str | None
    score: float | None
    threshold: float | None
    unusual: bool


def newest_id(connection: Connection) -> int:
    """The highest id of a crop; 0 where there is none."""
    return int(connection.execute(select(func.max(crops.c.id))).scalar() or 0)


def newest_of_holes(connection: Connection, after: int, until: int, most: int) -> list[NewestCrop]:
    """Of each camera and hole, the inbox's newest ``most`` crops with ids in (after, until], rising."""
    named = {"score": crops.c.decision_score, "threshold": crops.c.decision_threshold}
    columns = [named[name].label(name) if name in named else crops.c[name] for name in NewestCrop._fields]
    place = func.row_number().over(partition_by=(crops.c.camera, crops.c.hole), order_by=crops.c.id.desc())
    within = (crops.c.id > after, crops.c.id <= until, in_operation(), crops.c.hole.is_not(None))
    ranked = select(*columns, place.label("place")).where(*within).subquery()
    query = select(*(ranked.c[name] for name in NewestCrop._fields)).where(ranked.c.place <= most)
    return select_rows(connection, NewestCrop, query.order_by(ranked.c.id))


def seen_before(connection: Connection, crop_id: int) -> datetime | None:
    """When the newest crop up to an id was seen; None where there is none."""
    query = select(crops.c.seen_at).where(crops.c.id <= crop_id).order_by(crops.c.id.desc()).limit(1)
    seen: datetime | None = connection.execute(query).scalar()
    return seen


def newest_latencies(connection: Connection, after: int) -> list[float]:
    """Seconds from the last change of a file to its decision, of each decision on the inbox's crops after an id."""
    query = select(scores.c.latency_seconds).join(crops, crops.c.id == scores.c.crop_id)
    return list(connection.execute(query.where(scores.c.crop_id > after, in_operation())).scalars())


def decided_by_minute(connection: Connection, now: datetime, minutes: int) -> list[int]:
    """How many of the inbox's crops seen in each of the last whole ``minutes`` were decided on, the oldest first."""
    end = int(now.timestamp()) // 60
    first = end - minutes
    since, until = (datetime.fromtimestamp(60 * minute, UTC) for minute in (first, end))
    # The operator as text: see `arrivals`.
    minute = seconds_of(connection, crops.c.seen_at).op("/")(literal(60, Integer)).label("minute")
    seen = (crops.c.seen_at >= since, crops.c.seen_at < until, crops.c.verdict.is_not(None), in_operation())
    query = select(minute, func.count()).where(*seen).group_by(minute)
    counts = {row[0]: row[1] for row in connection.execute(query)}
    return [counts.get(one, 0) for one in range(first, end)]
