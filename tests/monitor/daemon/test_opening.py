"""What systemd hears while the database of an earlier version is brought up to date."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from monitor.daemon.opening import open_store
from monitor.store.database.schema import SCHEMA_REVISION
from monitor.store.database.upgrade import current_revision, upgrade
from tests.support.revisions import EARLIER, migrate
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.database.engine import Database


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(f"sqlite:///{tmp_path / 'state' / 'monitor.db'}") as database:
        yield database


def told(receiver: socket.socket) -> list[str]:
    lines: list[str] = []
    try:
        while True:
            lines += receiver.recv(4096).decode().splitlines()
    except BlockingIOError:
        return lines


def test_an_upgrade_asks_for_more_time_and_says_what_it_does(
    receiver: socket.socket, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(database, EARLIER[-1])
    threads = threading.enumerate()
    with caplog.at_level("INFO"):
        open_store(database)
    lines = told(receiver)
    assert "EXTEND_TIMEOUT_USEC=60000000" in lines
    steps = [line.split()[0] for line in lines if line.startswith("STATUS=") and not line.endswith("%")]
    assert steps == ["STATUS=opening", "STATUS=copying", "STATUS=checking", "STATUS=bringing"]
    assert "READY=1" not in lines
    assert caplog.messages[-1] == (
        f"the database is up to date; the database as it was is kept as {database.file}.schema-{EARLIER[-1]}"
    )
    # The workers are forked afterwards, which no other thread may live to see.
    assert set(threading.enumerate()) <= set(threads)


def test_a_new_or_current_database_is_opened_without_a_word(
    receiver: socket.socket, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with caplog.at_level("INFO"):
            open_store(database)
        assert current_revision(database) == SCHEMA_REVISION
    assert [record for record in caplog.records if record.name.startswith("monitor")] == []
    assert {line for line in told(receiver) if line.startswith("STATUS=")} == {"STATUS=opening the database"}


def test_no_thread_is_left_after_a_failure(receiver: socket.socket, database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    threads = threading.enumerate()
    with pytest.raises(Exception, match="newer than this program"):
        open_store(database)
    assert set(threading.enumerate()) <= set(threads)
