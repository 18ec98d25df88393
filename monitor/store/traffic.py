"""How many crops came and how many of them alarmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from monitor.store.schema import crops

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


def verdicts_since(connection: Connection, since: datetime | None) -> dict[str, int]:
    """The final decisions on the inbox's crops since then, or ever, by verdict."""
    query = select(crops.c.verdict, func.count().label("crops")).where(
        crops.c.verdict.is_not(None), crops.c.source == "inbox"
    )
    if since is not None:
        query = query.where(crops.c.seen_at >= since)
    return {row.verdict: row.crops for row in connection.execute(query.group_by(crops.c.verdict))}
