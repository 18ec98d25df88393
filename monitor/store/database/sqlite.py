"""Sets up connections to SQLite."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


# The pause between two attempts to switch to the write-ahead log.
WAL_PAUSE_SECONDS: Final = 0.02
# The pages that a batch changes are scattered. A cache of 10 MB and a log of 4,000 pages, which are 16 MB, keep many of
# them from being read and written again for each batch, which saves a fifth of the processor time.
CACHE_KIB: Final = 10240
LOG_PAGES: Final = 4000
# The log is emptied only when nothing reads, so a long read makes it grow. Then SQLite would use it again from the
# start without ever making the file smaller.
LOG_BYTES: Final = 32 * 1024 * 1024


def configure_sqlite(connection: Any, _record: Any, *, busy_seconds: float) -> None:
    """Set up a new connection to SQLite."""
    # The driver's own transaction handling leaves the first table of a failed migration behind; without it,
    # BEGIN and COMMIT are SQLAlchemy's alone (see begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    # With the log, readers and the writer do not block each other. A commit survives a crash of the program and, with
    # FULL, a power cut, which costs little for batches.
    _use_write_ahead_log(cursor, busy_seconds)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    cursor.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    cursor.close()


def _use_write_ahead_log(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Switch to WAL; if several programs do so at once in a new file, SQLite refuses all but one without waiting."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(WAL_PAUSE_SECONDS)
        else:
            return


def begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that writes locks the database at once."""
    options = connection.get_execution_options()
    if options.get("monitor_rebuilds", False):
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
    writes = options.get("monitor_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
