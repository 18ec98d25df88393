"""Tells of alarms that were withheld, once nothing withholds them any more and their event still goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.alarms.messages import tell
from monitor.alarms.telling import about, kinds_to_tell, withheld
from monitor.store import alarms, pauses

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.alarms.cast_context import CurrentCast
    from monitor.configuration.settings import Alarms
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database


def tell_belated(database: Database, settings: Alarms, now: datetime, cast: CurrentCast) -> list[AlarmRow]:
    """Tell of every alarm that is withheld without a reason; returns them. Raises `StoreError`.

    An alarm whose event is over stays untold: the reason to withhold it lasted as long as the event.
    """
    with database.read() as connection:
        if not _due(connection, settings, now, cast):
            return []
    with database.write() as connection:
        # Once more, and with nobody else at it: another program may have told of some meanwhile.
        alarms.lock(connection)
        due = _due(connection, settings, now, cast)
        for row in due:
            alarms.change(connection, row.id, {"withheld": None, "told_at": now})
            for kind in kinds_to_tell("more", was_told=False, acknowledged=row.state == "acknowledged"):
                tell(connection, settings.sinks, row.id, kind, now)
        return due


def _due(connection: Connection, settings: Alarms, now: datetime, cast: CurrentCast) -> list[AlarmRow]:
    rows = alarms.withheld(connection, now - timedelta(seconds=settings.pause_seconds))
    if not rows:
        return []
    running, idle = pauses.running(connection, now), cast.read(connection, now).idle
    return [row for row in rows if withheld(about(row.camera, row.hole, row.holes), running, idle=idle) is None]
