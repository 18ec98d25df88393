"""The line's final decisions in the order of the crops' times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, func, or_, select

from monitor.store.conditions import in_operation, is_alarm
from monitor.store.database.rows import stream_rows
from monitor.store.database.schema import crops, scores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy.engine import Connection


class DecidedCrop(NamedTuple):
    """A crop with its final verdict; ``at``: the time in its name, or else when it was first seen.

    ``path`` is None where the hole is known. ``decided_at``: when a model first decided on it, of crops that are proliv
    or unusual; None of all others.
    """

    id: int
    camera: str | None
    hole: int | None
    path: str | None
    at: datetime
    verdict: str
    unusual: bool
    decided_at: datetime | None


def in_time_order(connection: Connection, since: datetime | None, until: datetime | None) -> Iterator[DecidedCrop]:
    """The crops in operation that were first seen in [since, until) and decided on, one at a time; None: all."""
    at = func.coalesce(crops.c.captured_at, crops.c.seen_at).label("at")
    path = case((crops.c.hole.is_(None), crops.c.path)).label("path")
    # Of the few that may open alarms alone, as it is a search for each.
    first = select(func.min(scores.c.scored_at)).where(scores.c.crop_id == crops.c.id).scalar_subquery()
    is_sign = or_(is_alarm(), crops.c.unusual)
    decided_at = case((is_sign, func.coalesce(first, crops.c.seen_at))).label("decided_at")
    query = select(*(crops.c.id, crops.c.camera, crops.c.hole, path, at, crops.c.verdict, crops.c.unusual, decided_at))
    query = query.where(in_operation(), crops.c.state == "scored")
    if since is not None:
        query = query.where(crops.c.seen_at >= since)
    if until is not None:
        query = query.where(crops.c.seen_at < until)
    return stream_rows(connection, DecidedCrop, query.order_by(at, crops.c.id))
