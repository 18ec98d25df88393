"""Counts, for each camera and hole, the intervals of time in which crops of the inbox came; the database counts.

Time is divided into intervals of a whole number of seconds, aligned to 1970-01-01 00:00 UTC: interval ``i`` of ``n``
seconds is [i n, (i + 1) n). Times are cut to whole seconds. (SQLite rounds them to thousandths first.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, Integer, and_, case, cast, distinct, extract, func, literal, null, select, union_all

from monitor.store.database.schema import crops
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import CTE
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# A time in a file name is not believed if it is later than when the crop was seen by more than this; the crop then
# counts at the time when it was seen.
FAST_CLOCK_SECONDS: Final = 60

# The most cameras, and the most holes of all cameras, in a result: file names may contain anything.
MOST_CAMERAS: Final = 1000
MOST_HOLES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Grid:
    """The intervals ``first`` to ``end - 1``, each ``seconds`` long; a crop is late ``late_seconds`` after its end."""

    seconds: int
    first: int
    end: int
    late_seconds: int

    @classmethod
    def between(cls, since: datetime, until: datetime, now: datetime, *, seconds: int, late_seconds: int) -> Grid:
        """The whole intervals in [since, until) that are due: a crop of theirs that came only ``now`` would be late."""
        first = -(-_whole_seconds(since, up=True) // seconds)
        due = (_whole_seconds(now) - late_seconds - 1) // seconds
        return cls(seconds, first, max(first, min(_whole_seconds(until) // seconds, due)), late_seconds)

    @property
    def since(self) -> datetime:
        """The start of the first interval."""
        return datetime.fromtimestamp(self.first * self.seconds, UTC)

    @property
    def until(self) -> datetime:
        """The end of the last interval."""
        return datetime.fromtimestamp(self.end * self.seconds, UTC)


class CameraArrivals(NamedTuple):
    """What came from a camera, decided on or not.

    ``active``: intervals with a crop of any hole. ``crops``: crops that were seen. ``ahead``: crops with a time in
    their name that is not believed. ``before``: crops that were seen in the first interval or later, but have a time
    before it.
    """

    active: int
    crops: int
    ahead: int
    before: int


class HoleArrivals(NamedTuple):
    """The intervals with crops of a hole.

    ``came``: with a crop that was decided on in time. ``late``: only later. ``undecided``: with crops of which none
    was decided on. ``last``: the time of the last crop that was decided on, if any. ``last_id``: the crop that was
    decided on last.
    """

    came: int
    late: int
    undecided: int
    last: datetime | None
    last_id: int | None = None


class Arrivals(NamedTuple):
    """The busiest cameras and holes, by name and by (camera, hole); those without a crop are left out.

    Crops whose names tell no camera are under `UNKNOWN`, together with those of a camera that is really called so.
    """

    cameras: dict[str, CameraArrivals]
    holes: dict[tuple[str, int], HoleArrivals]


def arrivals(connection: Connection, grid: Grid, named: Collection[str] = ()) -> Arrivals:
    """Count the intervals of the grid in which crops came. If there are too many cameras, the ``named`` come first.

    A crop is never seen before its time minus the tolerance for fast clocks, so the index on `crops.seen_at` leads to
    all crops that count.
    """
    earliest = grid.since - timedelta(seconds=FAST_CLOCK_SECONDS + 1)
    taken = _taken(connection, grid, crops.c.seen_at >= earliest)
    inside = and_(taken.c.interval >= grid.first, taken.c.interval < grid.end)
    return _counted(connection, taken, grid, inside, named)


def arrivals_seen(connection: Connection, grid: Grid, named: Collection[str] = ()) -> Arrivals:
    """Count the intervals, inside the grid or not, of the crops that were seen within the grid's time."""
    taken = _taken(connection, grid, and_(crops.c.seen_at >= grid.since, crops.c.seen_at < grid.until))
    return _counted(connection, taken, grid, taken.c.interval >= 0, named)


def crops_since(connection: Connection, since: datetime) -> int:
    """About how many crops were seen since then, at the cost of two lookups in an index."""
    seen = select(crops.c.id).where(crops.c.seen_at >= since).limit(1)
    first = connection.execute(seen.order_by(crops.c.seen_at)).scalar()
    last = connection.execute(seen.order_by(crops.c.seen_at.desc())).scalar()
    return 0 if first is None or last is None else abs(last - first) + 1


def _taken(connection: Connection, grid: Grid, seen_within: ColumnElement[bool]) -> CTE:
    """A row for each camera, hole and interval in which crops came."""
    seen, captured = seconds_of(connection, crops.c.seen_at), seconds_of(connection, crops.c.captured_at)
    decided = crops.c.state == "scored"
    timed = (
        select(
            crops.c.id,
            func.coalesce(crops.c.camera, UNKNOWN).label("camera"),
            crops.c.hole,
            case((captured <= seen + FAST_CLOCK_SECONDS, captured), else_=seen).label("moment"),
            case((captured > seen + FAST_CLOCK_SECONDS, 1), else_=0).label("ahead"),
            case((decided, seen)).label("decided"),
            case((seen >= grid.first * grid.seconds, 1), else_=0).label("inside"),
        )
        .where(crops.c.source == "inbox", seen_within)
        .subquery()
    )
    # The operator as text: SQLAlchemy's own division would add a rounding. Both databases divide whole numbers towards
    # zero, which is down for every time since 1970, and no running clock shows an earlier one.
    interval = timed.c.moment.op("/")(literal(grid.seconds, Integer)).label("interval")
    rows = select(*timed.c, interval).subquery()
    return (
        select(
            *(rows.c.camera, rows.c.hole, rows.c.interval),
            func.min(rows.c.decided).label("first_decided"),
            func.max(rows.c.moment).label("last"),
            func.max(case((rows.c.decided.is_not(None), rows.c.id))).label("last_id"),
            func.count().label("crops"),
            func.sum(rows.c.ahead).label("ahead"),
            func.sum(rows.c.inside).label("inside"),
        )
        .group_by(rows.c.interval, rows.c.camera, rows.c.hole)
        .cte("taken")
    )


def _counted(
    connection: Connection, taken: CTE, grid: Grid, inside: ColumnElement[bool], named: Collection[str]
) -> Arrivals:
    """Count for cameras (rows without a hole) and holes in one statement, so that the crops are read once."""
    foremost = case((taken.c.camera.in_(sorted(named)), 0), else_=1)
    active = func.count(distinct(case((inside, taken.c.interval))))
    before = case((taken.c.interval < grid.first, taken.c.inside), else_=0)
    by_camera = (
        select(
            *(taken.c.camera, cast(null(), Integer).label("hole"), active.label("intervals")),
            func.sum(taken.c.crops).label("second"),
            func.sum(taken.c.ahead).label("third"),
            func.sum(before).label("fourth"),
            cast(null(), BigInteger).label("last_id"),
        )
        .group_by(taken.c.camera)
        .order_by(foremost, active.desc(), taken.c.camera)
        .limit(MOST_CAMERAS)
    )
    due = (taken.c.interval + 1) * grid.seconds + grid.late_seconds
    decided = func.count(taken.c.first_decided)
    by_hole = (
        select(
            *(taken.c.camera, taken.c.hole, decided.label("intervals")),
            func.sum(case((taken.c.first_decided > due, 1), else_=0)).label("second"),
            func.sum(case((taken.c.first_decided.is_(None), 1), else_=0)).label("third"),
            func.max(case((taken.c.first_decided.is_not(None), taken.c.last))).label("fourth"),
            func.max(taken.c.last_id).label("last_id"),
        )
        .where(taken.c.hole.is_not(None), inside)
        .group_by(taken.c.camera, taken.c.hole)
        .order_by(foremost, decided.desc(), taken.c.camera, taken.c.hole)
        .limit(MOST_HOLES)
    )
    cameras: dict[str, CameraArrivals] = {}
    holes: dict[tuple[str, int], HoleArrivals] = {}
    both = union_all(select(by_camera.subquery()), select(by_hole.subquery()))
    for camera, hole, intervals, second, third, fourth, last_id in connection.execute(both):
        if hole is None:
            cameras[camera] = CameraArrivals(intervals, int(second), int(third), int(fourth))
        else:
            last = None if fourth is None else datetime.fromtimestamp(int(fourth), UTC)
            holes[camera, hole] = HoleArrivals(intervals - int(second), int(second), int(third), last, last_id)
    return Arrivals(cameras, holes)


def seconds_of(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[int]:
    """A stored time as whole seconds since 1970."""
    if connection.dialect.name == "sqlite":
        return cast(func.strftime("%s", column), Integer)
    return cast(func.floor(extract("epoch", column)), BigInteger)


def _whole_seconds(moment: datetime, *, up: bool = False) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) + (1 if up and whole < moment else 0)
