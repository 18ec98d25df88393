"""The daemon says in the database that it runs, on a server's as on a file, and leaves; after a kill its age tells."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor import __version__
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Paths, Settings
from monitor.daemon.heartbeat import Heartbeat
from monitor.harness.waiting import wait_until
from monitor.store import daemons
from monitor.store.database.engine import Database
from monitor.upkeep.status import DaemonStatus, read_status
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'monitor.db'}"
    new_store: Callable[[], str] = request.getfixturevalue("new_postgresql_store")
    return new_store()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(Database(url, busy_seconds=30)) as database:
        upgrade(database)
        yield database


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(settings=Settings(paths=Paths(inbox=tmp_path / "inbox")), file=None)


def seen(database: Database) -> list[daemons.Seen]:
    with database.read() as connection:
        return daemons.seen(connection)


def test_it_enters_renews_and_leaves(
    database: Database, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "RENEWED_EVERY", timedelta(milliseconds=20))
    moving = True
    heartbeat = Heartbeat(configuration, database, lambda _seconds: moving)
    heartbeat.start()
    wait_until(lambda: len(seen(database)) == 1, lambda: "it has not entered")
    ((row, _),) = seen(database)
    assert (row.host, row.process, row.version) == (socket.gethostname(), os.getpid(), __version__)
    assert row.inbox == str(configuration.inbox)
    wait_until(lambda: seen(database)[0].row.seen_at > row.seen_at, lambda: "it has not given a sign")
    with database.write() as connection:
        daemons.leave(connection, row.id)
    wait_until(lambda: len(seen(database)) == 1, lambda: "it has not entered again")
    heartbeat.stop()
    assert seen(database) == []


def test_a_pipeline_that_hangs_gives_no_sign(
    database: Database, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "RENEWED_EVERY", timedelta(milliseconds=5))
    asked = 0

    def moves(seconds: float) -> bool:
        nonlocal asked
        asked += 1
        return False

    heartbeat = Heartbeat(configuration, database, moves)
    heartbeat.start()
    wait_until(lambda: asked > 3, lambda: "it does not look whether the pipeline moves")
    heartbeat.stop()
    assert seen(database) == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_defect_is_told_and_the_next_sign_is_given(
    database: Database,
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(daemons, "RENEWED_EVERY", timedelta(milliseconds=20))
    enter, fails = daemons.enter, [True]

    def enter_later(*arguments: Any) -> int:
        if fails:
            fails.clear()
            raise ZeroDivisionError
        return enter(*arguments)

    monkeypatch.setattr(daemons, "enter", enter_later)
    heartbeat = Heartbeat(configuration, database, lambda _seconds: True)
    heartbeat.start()
    wait_until(lambda: len(seen(database)) == 1, lambda: "it has not entered")
    heartbeat.stop()
    assert "ZeroDivisionError" in caplog.text


def test_a_database_that_is_away_stops_nothing(configuration: Configuration, tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'nowhere' / 'monitor.db'}", busy_seconds=1)) as database:
        heartbeat = Heartbeat(configuration, database, lambda _seconds: True)
        heartbeat.start()
        heartbeat.stop()
    assert not (tmp_path / "nowhere").exists()


def test_the_status_tells_of_it_from_anywhere(database: Database, configuration: Configuration) -> None:
    here = daemons.Identity("plant", 7, "1.0", "/inbox")
    with database.write() as connection:
        row_id = daemons.enter(connection, here)
    ((row, _),) = seen(database)
    on_server = database.file is None
    told = DaemonStatus(*here, row.started_at, row.seen_at, runs=on_server, silent=False)
    found = read_status(configuration, database)
    # No daemon holds the lock of the file, so the row is that of one that was killed.
    assert (found.daemons, found.daemon_process) == ((told,), None)
    assert found.as_dict()["daemons"] == [
        {
            "host": "plant", "process": 7, "version": "1.0", "inbox": "/inbox",
            "started_at": row.started_at.isoformat(), "last_sign_of_life_at": row.seen_at.isoformat(),
            "runs": on_server, "silent": False,
        }
    ]  # fmt: skip
    with database.write() as connection:
        daemons.leave(connection, row_id)
        daemons.enter(connection, here._replace(host=socket.gethostname(), process=os.getpid()))
    found = read_status(configuration, database)
    assert found.daemon_process == (str(os.getpid()) if on_server else None)


def test_a_running_and_a_killed_daemon_are_told_apart(daemon: Daemon, run_monitor: RunMonitor) -> None:
    process = daemon.start()
    running = f"daemon         running on {socket.gethostname()}, process {process.pid}, since "
    wait_until(lambda: running in run_monitor("status").stdout, daemon.text)
    daemon.kill()
    shown = run_monitor("status").stdout
    assert "daemon         not running\n" in shown
    assert f"process {process.pid} on {socket.gethostname()} was killed" in shown
    daemon.start()
    assert daemon.stop() == 0
    assert daemon.query("select * from daemons") == []
    assert "was killed" not in run_monitor("status").stdout
