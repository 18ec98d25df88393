"""Which daemons run: each renews a row of its own, so that other machines see it too.

All times are those of one clock: a database server's own, or, for SQLite, that of the machine that it lies on.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, func, inspect, select, update

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import daemons

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# How often a daemon renews its row, and after how long without that it counts as gone: some writes may fail or wait.
RENEWED_EVERY: Final = timedelta(seconds=15)
GONE_AFTER: Final = timedelta(seconds=60)
# How long the row of a daemon that was killed on another machine is kept: it says where it ran.
FORGOTTEN_AFTER: Final = timedelta(days=7)


class Identity(NamedTuple):
    """Which daemon: the machine's name, the process there, the program's version, the inbox as `to_text` writes it."""

    host: str
    process: int
    version: str
    inbox: str


class DaemonRow(NamedTuple):
    """A row of `daemons`."""

    id: int
    host: str
    process: int
    version: str
    inbox: str
    started_at: datetime
    seen_at: datetime


class Seen(NamedTuple):
    """A daemon, and whether it gave a sign of life within `GONE_AFTER`."""

    row: DaemonRow
    alive: bool


def enter(connection: Connection, daemon: Identity) -> int:
    """Store a daemon that starts, and forget those that certainly run no more; returns the row's id."""
    now = _now(connection)
    for row in _rows(connection):
        # On SQLite the daemon holds the lock that lets no other run.
        alone = connection.dialect.name == "sqlite"
        if alone or row.seen_at < now - FORGOTTEN_AFTER or (row.host == daemon.host and not _runs(row.process)):
            leave(connection, row.id)
    values = {**daemon._asdict(), "started_at": now, "seen_at": now}
    key = connection.execute(daemons.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def renew(connection: Connection, row_id: int) -> bool:
    """Give a sign of life; False if the row is gone, so that the daemon has to enter again."""
    renewed = update(daemons).where(daemons.c.id == row_id).values(seen_at=_now(connection))
    return connection.execute(renewed).rowcount == 1


def leave(connection: Connection, row_id: int) -> None:
    """Forget a daemon."""
    connection.execute(delete(daemons).where(daemons.c.id == row_id))


def seen(connection: Connection) -> list[Seen]:
    """The daemons that entered and did not leave, the one seen last first; none where there is no table yet."""
    if not inspect(connection).has_table(daemons.name):
        return []
    now = _now(connection)
    rows = sorted(_rows(connection), key=lambda row: row.seen_at, reverse=True)
    return [Seen(row, now - row.seen_at < GONE_AFTER) for row in rows]


def _rows(connection: Connection) -> list[DaemonRow]:
    return select_rows(connection, DaemonRow, select(*columns_of(daemons, DaemonRow)).order_by(daemons.c.id))


def _now(connection: Connection) -> datetime:
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now = connection.execute(select(func.clock_timestamp())).scalar_one()
    assert isinstance(now, datetime)
    return now.astimezone(UTC)


def _runs(process: int) -> bool:
    """Whether there is such a process on this machine, of any user."""
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True
