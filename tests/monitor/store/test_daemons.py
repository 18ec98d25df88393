"""Which daemons run, as the database says: entered, renewed, gone without a word, and forgotten."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from monitor.store.daemons import FORGOTTEN_AFTER, GONE_AFTER, Identity, _runs, enter, leave, renew, seen
from monitor.store.database.schema import daemons
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

HERE = Identity("plant", os.getpid(), "1.0", "/inbox")
# The largest process number of Linux is 2^22.
NO_PROCESS = 2**22 + 1


def put_back(connection: Connection, row_id: int, by: timedelta) -> None:
    then = datetime.now(UTC) - by
    connection.execute(update(daemons).where(daemons.c.id == row_id).values(seen_at=then))


def test_a_daemon_is_seen_from_its_start_to_its_end(database: Database) -> None:
    with database.write() as connection:
        assert seen(connection) == []
        row_id = enter(connection, HERE)
        ((row, alive),) = seen(connection)
        assert alive
        assert Identity(row.host, row.process, row.version, row.inbox) == HERE
        assert row.started_at == row.seen_at
        assert datetime.now(UTC) - row.seen_at < timedelta(minutes=5)

        put_back(connection, row_id, GONE_AFTER)
        assert [one.alive for one in seen(connection)] == [False]
        assert renew(connection, row_id)
        assert [one.alive for one in seen(connection)] == [True]
        leave(connection, row_id)
        assert seen(connection) == []
        assert not renew(connection, row_id)


def test_one_that_starts_forgets_those_that_certainly_run_no_more(database: Database) -> None:
    killed = HERE._replace(process=NO_PROCESS)
    elsewhere = HERE._replace(host="other")
    with database.write() as connection:
        enter(connection, elsewhere)
        put_back(connection, enter(connection, elsewhere._replace(process=5)), FORGOTTEN_AFTER)
        enter(connection, killed)
        enter(connection, HERE)
        found = [(one.row.host, one.row.process) for one in seen(connection)]
    if database.file is None:
        assert found == [("plant", os.getpid()), ("other", os.getpid())]
    else:  # the one with the lock is alone
        assert found == [("plant", os.getpid())]


def test_there_is_none_where_no_daemon_can_have_entered(empty: Database) -> None:
    empty.make_folder()
    with empty.read() as connection:
        assert seen(connection) == []
    upgrade(empty)


def test_a_process_of_any_user_counts_as_running() -> None:
    assert _runs(1)
    assert not _runs(NO_PROCESS)
