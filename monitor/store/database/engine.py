"""Connections: pragmas, real transactions, and database errors turned into sentences."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError

from monitor.errors import (
    ConfigurationError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreReadOnlyError,
    StoreRefusedError,
)
from monitor.files.folders import make_folder
from monitor.store.database.sqlite import begin_sqlite, configure_sqlite
from monitor.store.database.tallies import count_new

if TYPE_CHECKING:
    from collections.abc import Iterator

# Marks a transaction that writes: SQLite then takes its lock at the beginning, where waiting for it is safe;
# a read transaction that turns into a writing one fails at once when another program has written meanwhile.
WRITES = {"monitor_writes": True}
# Marks one that may also build tables anew, which SQLite does by dropping the old one: while the rows of other tables
# point at it, that is possible only without its checks.
REBUILDS = {"monitor_writes": True, "monitor_rebuilds": True}


class Database:
    """One database; threads share it, each transaction has a connection of its own."""

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        """Prepare connections to ``url``; a lock of another program is waited for ``busy_seconds``."""
        try:
            parsed = _parse(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            is_sqlite = parsed.get_backend_name() == "sqlite"
            # A server that does not answer must not hold up the stop of the daemon for minutes.
            arguments: dict[str, Any] = {"timeout": busy_seconds} if is_sqlite else {"connect_timeout": 5}
            self.engine = create_engine(parsed, connect_args=arguments, pool_pre_ping=not is_sqlite)
        except (ArgumentError, ValueError):
            # What is wrong is not said, for it may be a part of the password that looks like a port.
            raise ConfigurationError(
                "database.url: is not a database URL; write postgresql://user:password@host:5432/name, with special "
                "characters of the password as %XX"
            ) from None
        except ModuleNotFoundError as error:
            raise StoreError(
                f"the database driver {error.name} is not installed; "
                "install the extra: pip install 'proliv-monitor[postgresql]'"
            ) from None
        # The query may hold a password as well.
        self.description = f"sqlite:///{parsed.database}" if is_sqlite else parsed.set(query={}).render_as_string()
        self.file = Path(parsed.database) if is_sqlite and parsed.database else None
        self._identity: tuple[int, int] | None = None
        if is_sqlite:
            event.listen(self.engine, "connect", partial(configure_sqlite, busy_seconds=busy_seconds))
            event.listen(self.engine, "begin", begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent view."""
        with self._sentences(), self._connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: committed whole at the end, or not at all."""
        with self._sentences(), self._connect() as connection:
            writing = connection.execution_options(**WRITES)
            with writing.begin():
                yield writing
                if self.file is not None:
                    count_new(writing)

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A transaction that writes and may build tables anew; what points at nothing at its end is refused."""
        with self._sentences():
            try:
                with self._connect() as connection:
                    rebuilding = connection.execution_options(**REBUILDS)
                    with rebuilding.begin():
                        yield rebuilding
                        self._refuse_orphans(rebuilding)
            finally:
                # The connection that does not check must not be used again.
                self.engine.dispose()

    def _refuse_orphans(self, connection: Connection) -> None:
        if self.file is not None:
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if orphans:
                raise StoreDamagedError(
                    f"{self.description}: {len(orphans)} rows point at rows that do not exist, the first in "
                    f"{orphans[0][0]}; restore the last backup"
                )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """A connection to the very file that was opened first; writing to a removed one would lose everything."""
        with self.engine.connect() as connection:
            if self.file is not None:
                identity = _identity(self.file)
                if self._identity is None:
                    self._identity = identity
                elif identity != self._identity:
                    raise StoreDamagedError(
                        f"{self.description}: the file was removed or replaced while it was in use; start again to "
                        "go on with the one that lies there now"
                    )
            yield connection

    @property
    def exists(self) -> bool:
        """Whether there is anything to connect to; connecting would make an empty SQLite file."""
        try:
            return self.file is None or self.file.exists()
        except OSError:
            return True  # in a folder that may not be entered: connecting fails, with a sentence

    def make_folder(self) -> None:
        """Make the folder that a SQLite file lies in."""
        if self.file is not None:
            make_folder(self.file.parent)

    def vacuum(self) -> None:
        """Write a SQLite file anew, without the space of what was deleted, and take over its log."""
        with self._sentences(), self._connect() as connection:
            # Neither is possible within a transaction.
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("vacuum")
            raw.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise self._sentence(error) from error
        except (OverflowError, UnicodeError, StatementError) as error:
            raise self._refused(" ".join(str(getattr(error, "orig", None) or error).split())) from error

    def _refused(self, message: str) -> StoreRefusedError:
        return StoreRefusedError(f"{self.description}: does not take these rows ({message})")

    def _sentence(self, error: Exception) -> StoreError:
        original = getattr(error, "orig", error)
        message = " ".join(str(original).split())
        # PostgreSQL's classes 22 (a value is out of range, too long, malformed) and 54 (an index row is too large).
        if str(getattr(original, "sqlstate", None) or "")[:2] in {"22", "54"}:
            return self._refused(message)
        if "locked" in message:
            return StoreBusyError(
                f"{self.description}: locked by another program ({message}); try again when it has finished"
            )
        if "readonly" in message:
            return StoreReadOnlyError(f"{self.description}: cannot be written; mend the permissions ({message})")
        if "unable to open" in message:
            return StoreReadOnlyError(
                f"{self.description}: cannot be opened; its folder must exist and be writable ({message})"
            )
        if "not a database" in message or "malformed" in message:
            return StoreDamagedError(
                f"{self.description}: is damaged or not a database ({message}); "
                "move it away and restore the last backup, or start with an empty one"
            )
        if "is full" in message:
            return StoreError(f"{self.description}: the disk is full; free some space ({message})")
        return StoreError(f"{self.description}: {message}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _parse(url: str) -> URL:
    # A path may hold any character; the library would take a question mark and percent signs for its own.
    prefix = "sqlite:///"
    return URL.create("sqlite", database=url.removeprefix(prefix)) if url.startswith(prefix) else make_url(url)
