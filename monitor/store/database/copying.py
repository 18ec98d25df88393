"""Copies a SQLite database of one moment while other programs write to it, and checks the copy.

The copy is made in a single reading transaction, while the daemon writes to SQLite's log, so that it never has to start
again, however busy the daemon is.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import StoreDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import Connection

# Pages that are copied at once (16 MiB); in between, an interruption is noticed.
PAGES: Final = 4096


class Content(NamedTuple):
    """What a database holds: its schema's revision, and the number of rows of each table."""

    revision: str | None
    rows: dict[str, int]


def copy_database(
    connection: Connection, target: Path, progress: Callable[[int, int], None] = lambda _remaining, _total: None
) -> Content:
    """Copy the database that ``connection`` reads to the new file ``target``; returns what the copy has to hold.

    ``progress`` is called with the number of pages that remain to be copied, and that of all. Raises `OSError` where
    the copy cannot be written, and `StoreDamagedError` where the database is damaged.
    """
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    # Counting opens the transaction, so that the copy is of the same moment. Outside of a transaction, SQLite would
    # start the copy again whenever the daemon writes.
    content = _content(source)
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            # The whole copy is flushed at the end; until then it may be lost.
            copy.execute("pragma synchronous = off")
            source.backup(copy, pages=PAGES, progress=lambda _status, remaining, total: progress(remaining, total))
            # A single file, without a log beside it.
            copy.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        raise _copy_error(error) from error
    return content


def verify(copy: Path, content: Content, description: str) -> None:
    """Open the copy, check it and compare what it holds; raises `StoreDamagedError`, which the caller cleans up after.

    ``description``: of the database that was copied.
    """
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            found = [str(row[0]) for row in connection.execute("pragma integrity_check(3)")]
            same = _content(connection) == content
        except sqlite3.Error as error:
            found, same = [str(error)], True
    if found != ["ok"]:
        raise StoreDamagedError(
            f"{description}: the copy is damaged ({'; '.join(found)}) and was removed; see whether the "
            "database itself is damaged: monitor db check --full"
        )
    if not same:
        raise StoreDamagedError(f"{description}: the copy does not hold what the database does, and was removed")


def _content(connection: sqlite3.Connection) -> Content:
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    rows = {
        name: int(connection.execute(f'select count(*) from "{name}"').fetchone()[0])  # noqa: S608 - its own names
        for name in tables
    }
    revisions = connection.execute("select version_num from alembic_version") if "alembic_version" in rows else ()
    return Content(next((str(revision) for (revision,) in revisions), None), rows)


def _copy_error(error: sqlite3.Error) -> OSError | StoreDamagedError:
    """Tell a full or broken disk from a damaged database, which could just be read and is seldom to blame."""
    if "malformed" in str(error):
        return StoreDamagedError(f"the database is damaged ({error}); see: monitor db check")
    full = "full" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, os.strerror(errno.ENOSPC) if full else str(error))
