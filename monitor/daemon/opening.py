"""Opens the database when the daemon starts: one of an earlier version is brought up to date first."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from monitor.daemon.systemd import longer_start, notify
from monitor.files.text import printable
from monitor.upkeep.upgrade import bring_up_to_date

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# The shortest time between two messages to systemd about how far the copy of a database is.
PROGRESS_SECONDS: Final = 1.0


def open_store(database: Database) -> None:
    """Make the database where there is none, and upgrade one of an earlier version, telling systemd what takes so long.

    The caller holds the daemon's lock. Raises `MonitorError` where the database cannot be used by this program.
    """
    told_at = 0.0

    def begin(doing: str) -> None:
        log.info("%s", doing)
        notify(f"STATUS={doing}")

    def progress(doing: str) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= PROGRESS_SECONDS:
            told_at = now
            notify(f"STATUS={doing}")

    notify("STATUS=opening the database")
    with longer_start():
        done = bring_up_to_date(database, begin=begin, progress=progress)
    if done is not None and done.before is not None:
        kept = f"; the database as it was is kept as {printable(done.copy)}" if done.copy else ""
        log.info("the database is up to date%s", kept)
