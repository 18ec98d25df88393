"""Pauses: a person says for how long alarms are recorded and not told, and may end that sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.errors import DataError
from monitor.store import pauses
from monitor.times import iso, on_clock

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from monitor.store.database.engine import Database
    from monitor.store.pauses import PauseRow


def end(database: Database, pause_id: int, *, by: str, at: datetime, zone: tzinfo) -> PauseRow:
    """End a pause before its time; returns it. ``zone``: the plant's, in which times are said.

    Raises `DataError` for a pause that is unknown or over.
    """
    with database.write() as connection:
        done = pauses.end(connection, pause_id, by=by, at=at)
        row = pauses.find(connection, pause_id)
    if row is None:
        raise DataError(f"there is no pause {pause_id}; see: monitor pause list --over")
    if not done:
        how = f"was ended by {row.ended_by}" if row.ended_by else "ended"
        raise DataError(f"pause {row.id} ({row.scope}) {how} at {on_clock(row.ends_at, zone)}; nothing is changed")
    return row


def as_dict(row: PauseRow) -> dict[str, Any]:
    """A pause by name, ready for JSON, with times in UTC."""
    return {**row._asdict(), "begins_at": iso(row.begins_at), "ends_at": iso(row.ends_at), "of": row.scope}
