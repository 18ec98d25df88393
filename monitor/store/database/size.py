"""How much disk space the database takes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

# The suffixes of a SQLite database's files: the database, its write-ahead log, and the index of the log.
SQLITE_FILES: Final = ("", "-wal", "-shm")


def size_bytes(database: Database) -> int:
    """The size of the database in bytes, including the files that SQLite keeps beside it."""
    if database.file is None:
        with database.read() as connection:
            return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    total = 0
    for suffix in SQLITE_FILES:
        with suppress(OSError):  # the last program that closes it removes the others
            total += database.file.with_name(database.file.name + suffix).stat().st_size
    return total
