"""The crops of one hole in the order in which they came, found in a bounded number of steps.

No index leads to the crops of a hole: it would cost every insertion. They are found by going through all crops from a
place on, at most `WALK` of them, which takes some hundredths of a second however many crops are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store.conditions import in_operation
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import alarm_crops, crops, models, score_summaries
from monitor.store.summaries import NO_HOLE

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# How many crops are gone through at most.
WALK: Final = 50_000
# The same where every hole is looked for at once, which takes longer.
WALK_OF_ALL: Final = 20_000


class HoleCrop(NamedTuple):
    """A crop of a hole, with its final decision, None for one that failed."""

    id: int
    sha256: str
    captured_at: datetime | None
    seen_at: datetime
    state: str
    verdict: str | None
    decision_score: float | None
    decision_threshold: float | None
    unusual: bool

    @property
    def at(self) -> datetime:
        """When it was taken, or else when it was first seen."""
        return self.captured_at or self.seen_at


class Hole(NamedTuple):
    """A hole, of a camera; None where the file's name did not tell."""

    camera: str | None
    hole: int | None

    def meets(self) -> ColumnElement[bool]:
        """The condition that a crop is of this hole and came by itself."""
        return (
            in_operation()
            & crops.c.camera.is_not_distinct_from(self.camera)
            & crops.c.hole.is_not_distinct_from(self.hole)
        )


class LastOfHole(NamedTuple):
    """The last crop of a hole among the newest ones, and how many of the hole are among them."""

    camera: str | None
    hole: int | None
    crops: int
    id: int


def before(connection: Connection, hole: Hole, crop_id: int, most: int) -> list[HoleCrop]:
    """The ``most`` crops of the hole that were stored last before this one, the oldest of them first."""
    within = (crops.c.id < crop_id, crops.c.id >= crop_id - WALK)
    query = _of(hole, *within).order_by(crops.c.id.desc()).limit(most)
    return select_rows(connection, HoleCrop, query)[::-1]


def after(connection: Connection, hole: Hole, crop_id: int, most: int) -> list[HoleCrop]:
    """The ``most`` crops of the hole that were stored next after this one, in their order."""
    within = (crops.c.id > crop_id, crops.c.id <= crop_id + WALK)
    return select_rows(connection, HoleCrop, _of(hole, *within).order_by(crops.c.id).limit(most))


def newest_of(connection: Connection, hole: Hole, most: int) -> list[HoleCrop]:
    """The newest ``most`` crops of the hole, the oldest of them first."""
    return before(connection, hole, _end(connection), most)


def last_of_holes(connection: Connection) -> list[LastOfHole]:
    """The last crop of each hole that gave one lately, by camera and hole; those whose hole is unknown are left out."""
    end = _end(connection)
    query = (
        select(crops.c.camera, crops.c.hole, func.count(), func.max(crops.c.id))
        .where(crops.c.id < end, crops.c.id >= end - WALK_OF_ALL, in_operation(), crops.c.hole.is_not(None))
        .group_by(crops.c.camera, crops.c.hole)
        .order_by(crops.c.camera, crops.c.hole)
    )
    return select_rows(connection, LastOfHole, query)


def of_time(connection: Connection, hole: Hole, since: datetime, until: datetime) -> tuple[list[HoleCrop], datetime]:
    """The hole's crops that were seen in [since, until), the oldest first, and from when on they are all there.

    That is ``since``, or a later time where more than `WALK` crops of all holes were seen in this time.
    """
    seen = (crops.c.seen_at >= since, crops.c.seen_at < until)
    last = select(crops.c.seen_at).where(*seen).order_by(crops.c.seen_at.desc()).limit(1).offset(WALK)
    cut = connection.execute(last).scalar()
    start = since if cut is None else cut
    first = crops.c.seen_at >= since if cut is None else crops.c.seen_at > cut
    query = _of(hole, first, crops.c.seen_at < until)
    return select_rows(connection, HoleCrop, query.order_by(crops.c.seen_at, crops.c.id)), start


def was_seen(connection: Connection, hole: Hole) -> bool:
    """Whether a crop of the hole was decided on in an hour that is summarised."""
    known = select(score_summaries.c.crops).where(
        score_summaries.c.model_id.in_(select(models.c.id)),
        score_summaries.c.camera == (hole.camera or ""),
        score_summaries.c.hole == (NO_HOLE if hole.hole is None else hole.hole),
    )
    return connection.execute(known.limit(1)).first() is not None


def alarm_of(connection: Connection, crop_id: int) -> int | None:
    """The alarm that a crop belongs to, if it does."""
    return connection.execute(select(alarm_crops.c.alarm_id).where(alarm_crops.c.crop_id == crop_id)).scalar()


def by_ids(connection: Connection, ids: list[int]) -> dict[int, HoleCrop]:
    """Crops by their ids, at most some hundreds."""
    query = select(*columns_of(crops, HoleCrop)).where(crops.c.id.in_(ids))
    return {row.id: row for row in select_rows(connection, HoleCrop, query)}


def _of(hole: Hole, *within: ColumnElement[bool]) -> Select[Any]:
    return select(*columns_of(crops, HoleCrop)).where(*within, hole.meets())


def _end(connection: Connection) -> int:
    """An id beyond that of the newest crop."""
    return (connection.execute(select(func.max(crops.c.id))).scalar() or 0) + 1
