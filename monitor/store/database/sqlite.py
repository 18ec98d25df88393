"""How a connection to SQLite is set up."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


WAL_PAUSE_SECONDS: Final = 0.02


def configure_sqlite(connection: Any, _record: Any, *, busy_seconds: float) -> None:
    """Set up a new connection to SQLite."""
    # The driver's own transaction handling leaves the first table of a failed migration behind; without it,
    # BEGIN and COMMIT are SQLAlchemy's alone (see begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    # Readers and the writer do not block each other; a commit survives the program's end and, with FULL,
    # a power cut, which costs little at the batch sizes that are written.
    _use_write_ahead_log(cursor, busy_seconds)
    # The pages that a batch changes lie far apart: those that stay in memory (10 MB), or in the log for some batches
    # (4,000 pages), are not read and written again each time, which saves a fifth of the processor's time.
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "cache_size = -10240", "wal_autocheckpoint = 4000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _use_write_ahead_log(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Switch to WAL; where several programs do so in a new file, SQLite refuses all but one without waiting."""
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
    """Begin a transaction, which locks the database at once where it will write."""
    options = connection.get_execution_options()
    if options.get("monitor_rebuilds", False):
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # takes effect outside of a transaction alone
    writes = options.get("monitor_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
