"""Connections to the database and its transactions."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError

from monitor.errors import ConfigurationError, StoreDamagedError, StoreError, StoreReplacedError
from monitor.files.folders import make_folder
from monitor.store.database.sqlite import begin_sqlite, configure_sqlite
from monitor.store.database.tallies import count_new
from monitor.store.database.translation import database_error, refused_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

# Marks a transaction that writes. SQLite then takes its lock at the beginning, where it can wait for it: a transaction
# that begins by reading fails at its first write if another program has written meanwhile.
WRITES = {"monitor_writes": True}
# Marks a transaction that may also rebuild tables. SQLite does so by dropping the old table, which its foreign key
# checks would refuse while rows of other tables refer to it.
REBUILDS = {"monitor_writes": True, "monitor_rebuilds": True}


# How many connections stay open once they are no longer used, and how many there may be at once. Each that stays keeps
# a cache that fills in the course of hours: see `monitor.store.database.sqlite`. More are hardly ever in use at once.
KEPT_CONNECTIONS: Final = 3
MOST_CONNECTIONS: Final = 15


class Database:
    """One database, shared by all threads; each transaction has its own connection."""

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        """Prepare connections to ``url``; wait up to ``busy_seconds`` for a lock that another program holds."""
        try:
            parsed = _parse(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            is_sqlite = parsed.get_backend_name() == "sqlite"
            # A server that does not answer must not delay the daemon's stop by minutes.
            arguments: dict[str, Any] = {"timeout": busy_seconds} if is_sqlite else {"connect_timeout": 5}
            self.engine = create_engine(
                parsed,
                connect_args=arguments,
                pool_pre_ping=not is_sqlite,
                # The connection that was used last is used next: its cache is warm.
                pool_use_lifo=True,
                pool_size=KEPT_CONNECTIONS,
                max_overflow=MOST_CONNECTIONS - KEPT_CONNECTIONS,
            )
        except (ArgumentError, ValueError):
            # The reason is left out: it may quote a part of the password that was taken for a port.
            raise ConfigurationError(
                "database.url: is not a database URL; write postgresql://user:password@host:5432/name, with special "
                "characters of the password as %XX"
            ) from None
        except ModuleNotFoundError as error:
            raise StoreError(
                f"the database driver {error.name} is not installed; "
                "install the extra: pip install 'proliv-monitor[postgresql]'"
            ) from None
        # Without the query, which may hold a password as well.
        self.description = f"sqlite:///{parsed.database}" if is_sqlite else parsed.set(query={}).render_as_string()
        self.file = Path(parsed.database) if is_sqlite and parsed.database else None
        self._identity: tuple[int, int] | None = None
        if is_sqlite:
            event.listen(self.engine, "connect", partial(configure_sqlite, busy_seconds=busy_seconds))
            event.listen(self.engine, "begin", begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads and sees one consistent state."""
        with self._translated_errors(), self._connect() as connection:
            if self.file is None:
                # By default each statement would see what other programs have stored since the one before it.
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; it is committed at the end, and rolled back by any exception."""
        with self._translated_errors(), self._connect() as connection:
            writing = connection.execution_options(**WRITES)
            with writing.begin():
                yield writing
                if self.file is not None:
                    count_new(writing)

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A transaction that writes and may rebuild tables.

        Raises `StoreDamagedError` if rows refer to rows that do not exist at its end.
        """
        with self._translated_errors():
            try:
                with self._connect() as connection:
                    rebuilding = connection.execution_options(**REBUILDS)
                    with rebuilding.begin():
                        yield rebuilding
                        self._refuse_orphans(rebuilding)
            finally:
                # Connections with foreign key checks switched off must not be used again.
                self.engine.dispose()

    def _refuse_orphans(self, connection: Connection) -> None:
        if self.file is not None:
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if orphans:
                raise StoreDamagedError(
                    f"{self.description}: {len(orphans)} rows refer to rows that do not exist, the first in "
                    f"{orphans[0][0]}; restore the last backup"
                )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """A connection to the same file as the first one; what is written to a removed file would be lost."""
        with self.engine.connect() as connection:
            if self.file is not None:
                identity = _identity(self.file)
                if self._identity is None:
                    self._identity = identity
                elif identity != self._identity:
                    raise StoreReplacedError(
                        f"{self.description}: the file was removed or replaced while it was in use; restart to "
                        "continue with the file that is there now"
                    )
            yield connection

    @property
    def exists(self) -> bool:
        """Whether there is a database to connect to; connecting would create an empty SQLite file."""
        try:
            return self.file is None or self.file.exists()
        except OSError:
            return True  # its folder may not be entered: connecting then says so

    def make_folder(self) -> None:
        """Create the folder of the SQLite file."""
        if self.file is not None:
            make_folder(self.file.parent)

    def vacuum(self) -> None:
        """Rewrite the SQLite file without the space that deletions left, and empty its write-ahead log."""
        with self._translated_errors(), self._connect() as connection:
            # Neither is possible inside a transaction.
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("vacuum")
            raw.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise database_error(error, self.description) from error
        except (OverflowError, UnicodeError, StatementError) as error:
            raise refused_rows(error, self.description) from error


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _parse(url: str) -> URL:
    # A path may hold any character, but the library would interpret question marks and percent signs.
    prefix = "sqlite:///"
    return URL.create("sqlite", database=url.removeprefix(prefix)) if url.startswith(prefix) else make_url(url)
