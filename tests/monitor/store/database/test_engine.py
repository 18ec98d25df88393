"""Transactions, and what is said where something is in the way of the database."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from monitor.configuration.file import load
from monitor.errors import (
    ConfigurationError,
    OutputError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreReadOnlyError,
    StoreRefusedError,
)
from monitor.store.database import sqlite
from monitor.store.database.engine import KEPT_CONNECTIONS
from monitor.store.database.schema import SCHEMA_REVISION, crops
from monitor.store.database.upgrade import current_revision, prepare, require_current, upgrade
from monitor.store.decisions import record
from tests.support.stored_crops import opened, states, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.store.database.engine import Database
    from tests.conftest import RunMonitor


def test_a_row_that_no_database_takes_is_told_from_one_that_is_in_the_way(database: Database) -> None:
    with pytest.raises(StoreRefusedError), database.write() as connection:
        record(connection, [unreadable("1.jpg")._replace(mtime_ns=2**63)])


def test_an_error_takes_the_whole_transaction_back(database: Database) -> None:
    def fail_midway() -> None:
        with database.write() as connection:
            record(connection, [unreadable("1.jpg")])
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    with database.read() as connection:
        assert states(connection) == []


def test_a_transaction_that_reads_sees_one_state_whatever_is_stored_meanwhile(database: Database) -> None:
    with database.read() as reading:
        assert states(reading) == []
        with database.write() as writing:
            record(writing, [unreadable("1.jpg")])
        assert states(reading) == []
    with database.read() as reading:
        assert len(states(reading)) == 1
    # One that writes goes on seeing what others commit while it waits for them, on the same connection too.
    with database.write() as writing:
        if writing.dialect.name == "postgresql":
            assert writing.execute(text("show transaction_isolation")).scalar() == "read committed"


def test_connections_that_were_needed_once_do_not_all_fill_their_caches(database: Database) -> None:
    with database.read(), database.read(), database.read(), database.read(), database.read():
        pass
    assert database.engine.pool.checkedin() == KEPT_CONNECTIONS  # type: ignore[attr-defined]
    used = []
    for _ in range(6):
        with database.read() as connection:
            used.append(connection.connection.dbapi_connection)
    assert len(set(map(id, used))) == 1


def test_a_locked_database_is_waited_for_and_then_named(sqlite_file: Path) -> None:
    other = sqlite3.connect(sqlite_file, isolation_level=None)
    other.execute("begin immediate")
    with opened(f"sqlite:///{sqlite_file}", busy_seconds=0.05) as database:
        sentence = r"monitor\.db: locked by another program .*; try again when it has finished"
        with pytest.raises(StoreBusyError, match=sentence) as caught, database.write():
            pass
        assert caught.value.exit_code == 75
        with database.read() as connection:
            assert states(connection) == []
        other.execute("rollback")
        other.close()
        with database.write() as connection:
            record(connection, [unreadable("1.jpg")])


def test_the_log_becomes_small_again_after_a_long_read(sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sqlite.LOG_BYTES > sqlite.LOG_PAGES * 4096
    monkeypatch.setattr(sqlite, "LOG_PAGES", 10)
    monkeypatch.setattr(sqlite, "LOG_BYTES", 10 * 4096)

    def size_after(writes: range) -> int:
        for number in writes:
            with database.write() as connection:
                record(connection, [unreadable(f"{number}.jpg")])
        return Path(f"{sqlite_file}-wal").stat().st_size

    with opened(f"sqlite:///{sqlite_file}") as database:
        with database.read() as connection:
            assert states(connection) == []
            assert size_after(range(60)) > 100 * 4096
            assert states(connection) == []
        assert size_after(range(60, 70)) < 40 * 4096


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="monitor-store-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o777, 0o444), (0o555, 0o444), (0o555, None)])
def test_a_read_only_database_is_named_with_the_remedy(
    open_folder: Path, folder_mode: int, file_mode: int | None
) -> None:
    file = open_folder / "monitor.db"
    if file_mode is not None:
        with opened(f"sqlite:///{file}") as database:
            upgrade(database)
        file.chmod(file_mode)
    open_folder.chmod(folder_mode)
    sentence = r"monitor\.db: (cannot be written; correct the permissions|cannot be opened; its folder must exist)"
    with as_an_ordinary_user(), opened(f"sqlite:///{file}") as database:
        with pytest.raises(StoreReadOnlyError, match=sentence) as caught, database.write() as connection:
            record(connection, [unreadable("1.jpg")])
        assert caught.value.exit_code == 73


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with opened(f"sqlite:///{tmp_path}/file/monitor.db") as database:
        with pytest.raises(OutputError, match="file: the folder cannot be made: ") as caught:
            upgrade(database)
        assert caught.value.exit_code == 73


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"
    file.write_bytes(bytes(range(256)) * 64)
    with opened(f"sqlite:///{file}") as database:
        sentence = r"monitor\.db: is damaged or not a database .* restore the last backup"
        with pytest.raises(StoreDamagedError, match=sentence) as caught:
            prepare(database)
        assert caught.value.exit_code == 65
    assert file.read_bytes() == bytes(range(256)) * 64


def test_a_damaged_database_is_named(sqlite_file: Path) -> None:
    content = bytearray(sqlite_file.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    sqlite_file.write_bytes(content)
    with opened(f"sqlite:///{sqlite_file}") as database, pytest.raises(StoreDamagedError, match="is damaged"):
        require_current(database)


def test_a_full_disk_is_named_and_leaves_what_was_there(sqlite_file: Path) -> None:
    with opened(f"sqlite:///{sqlite_file}") as database:
        with database.read() as connection:
            pages = connection.execute(text("pragma page_count")).scalar_one()
            # Holds for this connection, which the pool hands out again.
            connection.execute(text(f"pragma max_page_count = {pages + 1}"))
        rows = [unreadable(f"{number}.jpg") for number in range(4096)]
        with pytest.raises(StoreError, match="the disk is full; free some space"), database.write() as connection:
            record(connection, rows)
        with database.read() as connection:
            assert connection.execute(select(func.count()).select_from(crops)).scalar_one() == 0


@pytest.mark.parametrize(
    "break_it",
    [
        lambda file: file.write_bytes(b"garbage" * 1000),
        lambda file: sqlite3.connect(file).executescript("update alembic_version set version_num = '9999'").close(),
    ],
    ids=["garbage", "newer"],
)
def test_the_command_ends_with_data_error_and_one_sentence(
    sqlite_file: Path, run_monitor: RunMonitor, break_it: Callable[[Path], None]
) -> None:
    break_it(sqlite_file)
    ended = run_monitor("status", environment={"MONITOR__DATABASE__URL": f"sqlite:///{sqlite_file}"})
    assert (ended.returncode, ended.stdout) == (65, "")
    assert re.fullmatch(r"monitor: sqlite:////.*/monitor\.db: .*\n", ended.stderr)


def test_the_command_ends_with_temporary_failure_on_a_locked_database(tmp_path: Path, run_monitor: RunMonitor) -> None:
    file = tmp_path / "state" / "monitor.db"
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")
    ended = run_monitor("db", "upgrade", environment={"MONITOR__DATABASE__BUSY_SECONDS": "0.1"})
    other.close()
    assert ended.returncode == 75, ended.stderr
    assert re.fullmatch(r"monitor: .*monitor\.db: locked by another program .*\n", ended.stderr)


@pytest.mark.parametrize("name", ["what?", "100%41", "a#b", "a b", "литьё", ":memory:"])
def test_the_database_lies_in_the_state_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.toml").write_text(f"paths.state = '{name}'", encoding="utf-8")
    configuration = load(tmp_path / "config.toml")
    with opened(configuration.database_url) as database:
        prepare(database)
        assert database.file == tmp_path / name / "monitor.db"
        assert database.description.endswith(f"/{name}/monitor.db")
    assert (tmp_path / name / "monitor.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://monitor:geheim@localhost:port/monitor",
        "postgresql://monitor:geheim@127.0.0.1:1/monitor",
        "postgresql://127.0.0.1:1/monitor?user=monitor&password=geheim",
        "postgresql://monitor:geheim@127.0.0.1:1/monitor?nonsense=geheim",
        "postgresql://monitor:geheim@127.0.0.1:999999/monitor",
        "postgresql://monitor:1/geheim@127.0.0.1:1/monitor",
        "postgresql+psycopg://monitor:geheim@ho\u2100st/monitor",
        "postgresql://monitor:geheim@[::1/monitor",
    ],
)
def test_a_password_is_in_no_message(url: str) -> None:
    pytest.importorskip("psycopg")
    shown = []

    def connect() -> None:
        with opened(url) as database:
            shown.append(database.description)
            current_revision(database)

    with pytest.raises((StoreError, ConfigurationError)) as caught:
        connect()
    assert "geheim" not in "".join([*shown, str(caught.value)])


def test_a_server_that_refuses_the_password_does_not_print_it(
    new_postgresql_database: Callable[[], str], run_monitor: RunMonitor
) -> None:
    url = re.sub(r":[^:@/]+@", ":falsch-geheim@", new_postgresql_database())
    ended = run_monitor("db", "current", environment={"MONITOR__DATABASE__URL": url})
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "password authentication failed" in ended.stderr
    assert "geheim" not in ended.stderr


def test_the_command_works_on_postgresql(new_postgresql_database: Callable[[], str], run_monitor: RunMonitor) -> None:
    environment = {"MONITOR__DATABASE__URL": new_postgresql_database()}
    upgraded = run_monitor("db", "upgrade", environment=environment)
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    checked = run_monitor("db", "check", environment=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "geheim" not in upgraded.stdout + checked.stdout
    assert f"schema {SCHEMA_REVISION}, nothing is wrong" in checked.stdout
