"""The line's final decisions in the order of the crops' times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, func, select

from monitor.store.conditions import in_operation
from monitor.store.database.rows import stream_rows
from monitor.store.database.schema import crops

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy.engine import Connection


class DecidedCrop(NamedTuple):
    """A crop with its final verdict; ``at``: the time in its name, or else when it was first seen.

    ``path`` is None where the hole is known.
    """

    id: int
    camera: str | None
    hole: int | None
    path: str | None
    at: datetime
    verdict: str


def in_time_order(connection: Connection, since: datetime | None, until: datetime | None) -> Iterator[DecidedCrop]:
    """The crops in operation that were first seen in [since, until) and decided on, one at a time; None: all."""
    at = func.coalesce(crops.c.captured_at, crops.c.seen_at).label("at")
    path = case((crops.c.hole.is_(None), crops.c.path)).label("path")
    query = select(crops.c.id, crops.c.camera, crops.c.hole, path, at, crops.c.verdict)
    query = query.where(in_operation(), crops.c.state == "scored")
    if since is not None:
        query = query.where(crops.c.seen_at >= since)
    if until is not None:
        query = query.where(crops.c.seen_at < until)
    return stream_rows(connection, DecidedCrop, query.order_by(at, crops.c.id))
