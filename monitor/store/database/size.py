"""How much space the database takes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

SQLITE_FILES: Final = ("", "-wal", "-shm")
"""A SQLite database is its file, what was written but is not in it yet, and an index to that."""


def size_bytes(database: Database) -> int:
    """The bytes of the database, with all that it keeps beside it."""
    if database.file is None:
        with database.read() as connection:
            return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    total = 0
    for suffix in SQLITE_FILES:
        with suppress(OSError):  # the last program that closes it removes the others
            total += database.file.with_name(database.file.name + suffix).stat().st_size
    return total
