"""How many crops were decided on over a time, how many were alarms, and the last crop of each hole."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from monitor.store.conditions import in_operation, is_alarm, repeats_earlier
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import crop_tallies, crops, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class LastCrop(NamedTuple):
    """The last crop of a hole that was decided on.

    ``crops``: how many of the hole there were. ``score`` and ``threshold``: those of the final decision. ``id``: the
    crop's.
    """

    camera: str | None
    hole: int | None
    crops: int
    decided_at: datetime
    score: float
    threshold: float
    verdict: str
    id: int


def verdicts_since(connection: Connection, since: datetime | None) -> dict[str, int]:
    """Count the final decisions on the inbox's crops by verdict: of crops seen since then, or of all for None."""
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


def unusual_since(connection: Connection, since: datetime | None) -> int:
    """Count the inbox's unusual crops that were seen since then, or all for None; the index holds nothing else."""
    query = select(func.count()).select_from(crops).where(crops.c.unusual, in_operation())
    if since is not None:
        query = query.where(crops.c.seen_at >= since)
    return connection.execute(query).scalar_one()


def last_crops(connection: Connection, since: datetime) -> list[LastCrop]:
    """For each camera and hole, the last of the inbox's crops that was seen since then and decided on."""
    newest = (
        select(func.max(crops.c.id).label("id"), func.count().label("crops"))
        .where(crops.c.seen_at >= since, crops.c.verdict.is_not(None), crops.c.source == "inbox")
        .group_by(crops.c.camera, crops.c.hole)
        .subquery()
    )
    query = (
        select(
            *(crops.c.camera, crops.c.hole, newest.c.crops, func.max(scores.c.scored_at)),
            *(crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict, crops.c.id),
        )
        .join(newest, newest.c.id == crops.c.id)
        .join(scores, scores.c.crop_id == crops.c.id)
        .group_by(crops.c.id, newest.c.crops)
    )
    return select_rows(connection, LastCrop, query)


def alarms_by_hole(connection: Connection, since: datetime, until: datetime) -> Counter[tuple[str | None, int | None]]:
    """Count the alarms (final verdict proliv) among the crops seen in [since, until), by (camera, hole).

    As with labels, crops with the same content count once: the first that was decided on in operation stands for all.
    """
    query = (
        select(crops.c.camera, crops.c.hole, func.count())
        .where(is_alarm(), in_operation(), crops.c.seen_at >= since, crops.c.seen_at < until, ~repeats_earlier())
        .group_by(crops.c.camera, crops.c.hole)
    )
    return Counter({(camera, hole): count for camera, hole, count in connection.execute(query)})
