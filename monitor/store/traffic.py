"""How many crops came, how many of them alarmed, and which was the last of each hole."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exists, func, select

from monitor.store.database.schema import IS_ALARM, crop_tallies, crops, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class LastCrop(NamedTuple):
    """The last crop of a hole that was decided, and how many there were; ``score``: of the final decision."""

    camera: str | None
    hole: int | None
    crops: int
    decided_at: datetime
    score: float
    threshold: float
    verdict: str


def verdicts_since(connection: Connection, since: datetime | None) -> dict[str, int]:
    """The final decisions on the inbox's crops since then, or ever, by verdict."""
    if since is None:
        count = func.sum(crop_tallies.c.crops).label("crops")
        query = select(crop_tallies.c.verdict, count).where(
            crop_tallies.c.verdict != "", crop_tallies.c.source == "inbox"
        )
        found = connection.execute(query.group_by(crop_tallies.c.verdict))
        return {row.verdict: int(row.crops) for row in found if row.crops}
    query = select(crops.c.verdict, func.count().label("crops")).where(
        crops.c.verdict.is_not(None), crops.c.source == "inbox", crops.c.seen_at >= since
    )
    return {row.verdict: row.crops for row in connection.execute(query.group_by(crops.c.verdict))}


def last_crops(connection: Connection, since: datetime) -> list[LastCrop]:
    """The last crop of each camera and hole that was decided in operation, of those that were seen since then."""
    newest = (
        select(func.max(crops.c.id).label("id"), func.count().label("crops"))
        .where(crops.c.seen_at >= since, crops.c.verdict.is_not(None), crops.c.source == "inbox")
        .group_by(crops.c.camera, crops.c.hole)
        .subquery()
    )
    query = (
        select(
            *(crops.c.camera, crops.c.hole, newest.c.crops, func.max(scores.c.scored_at)),
            *(crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict),
        )
        .join(newest, newest.c.id == crops.c.id)
        .join(scores, scores.c.crop_id == crops.c.id)
        .group_by(crops.c.id, newest.c.crops)
    )
    return [LastCrop._make(row) for row in connection.execute(query)]


def alarms(connection: Connection, since: datetime, until: datetime) -> Counter[tuple[str | None, int | None]]:
    """How many crops of [since, until) ended in an alarm (final verdict proliv) in operation, by (camera, hole).

    A crop's time is when it was seen. As with labels, crops of one
    content count once: the first that was decided on in operation stands for all.
    """
    earlier = crops.alias("earlier")
    repeats = exists().where(
        earlier.c.sha256 == crops.c.sha256,
        earlier.c.id < crops.c.id,
        earlier.c.state == "scored",
        earlier.c.source != "labelled",
    )
    query = (
        select(crops.c.camera, crops.c.hole, func.count())
        .where(IS_ALARM, crops.c.source != "labelled", crops.c.seen_at >= since, crops.c.seen_at < until, ~repeats)
        .group_by(crops.c.camera, crops.c.hole)
    )
    return Counter({(camera, hole): count for camera, hole, count in connection.execute(query)})
