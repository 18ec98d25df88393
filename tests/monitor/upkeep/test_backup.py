"""Backups of a database that is in use, and going on with one elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from monitor.configuration.file import load
from monitor.errors import OutputError, StoreDamagedError, StoreError
from monitor.store.database import copying
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from monitor.upkeep import backup
from tests.support.disks import as_nobody, below, small_disk
from tests.support.made_up import NOW, made_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon

NAME = "monitor-20260302T030000Z"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "config.toml").touch()
    return load(tmp_path / "config.toml")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with made_up(tmp_path) as made:
        with made.database.write() as connection:
            add_crops(connection, "first", 4000)
        yield made.database


def add_crops(connection: Connection, name: str, count: int) -> None:
    values = {"size_bytes": 1, "mtime_ns": 1, "seen_at": NOW, "state": "failed", "reason": "empty"}
    rows = [{**values, "path": f"/{name}/{number}", "sha256": f"{number:064d}"} for number in range(count)]
    connection.execute(insert(crops), rows)


def rows_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        count: int = connection.execute("select count(*) from crops").fetchone()[0]
    return count


def test_a_backup_is_a_whole_database_under_its_time(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    saved = backup.backup(database, configuration, folder, NOW, with_models=False)
    assert saved.path == folder / f"{NAME}.db"
    assert (saved.crops, saved.models) == (4000, 1)
    assert below(folder) == [saved.path]
    assert rows_of(saved.path) == 4000
    named = backup.backup(database, configuration, tmp_path / "new" / "one.sqlite", NOW, with_models=False)
    assert rows_of(named.path) == 4000


def test_nothing_is_overwritten(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    there = tmp_path / f"{NAME}.db"
    there.write_text("precious")
    for output in (tmp_path, there):
        with pytest.raises(OutputError, match="is there already; a backup overwrites nothing"):
            backup.backup(database, configuration, output, NOW, with_models=False)
    assert there.read_text() == "precious"


def test_none_goes_into_another_one(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    backup.backup(database, configuration, tmp_path / "saved", NOW, with_models=True)
    with pytest.raises(OutputError, match="saved: is a backup or a state folder itself"):
        backup.backup(database, configuration, tmp_path / "saved", NOW, with_models=True)


def test_what_gets_the_name_meanwhile_is_not_overwritten(
    database: Database, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copying.verify

    def verify(*arguments: object) -> None:
        before(*arguments)  # type: ignore[arg-type]
        (tmp_path / "out" / "a.db").write_text("precious")

    monkeypatch.setattr(copying, "verify", verify)
    with pytest.raises(OutputError, match="File exists"):
        backup.backup(database, configuration, tmp_path / "out" / "a.db", NOW, with_models=False)
    assert [path.read_text() for path in below(tmp_path / "out")] == ["precious"]


def test_a_busy_writer_does_not_make_it_begin_again(
    database: Database, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, with commits in between: it holds what there was at its beginning, and nothing twice."""
    monkeypatch.setattr(copying, "PAGES", 1)
    writer = Database(f"sqlite:///{database.file}", busy_seconds=30)
    ended, written = Event(), Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            with writer.write() as connection:
                add_crops(connection, f"busy{number}", 5)
            number += 1
            written.set()

    steps: list[tuple[int, int]] = []
    thread = Thread(target=write)
    commits = 0

    def progress(remaining: int, total: int) -> None:
        nonlocal commits
        if not steps:
            thread.start()
        if len(steps) % 20 == 0:
            written.clear()
            assert written.wait(30)
            commits += 1
        steps.append((remaining, total))

    saved = backup.backup(database, configuration, tmp_path / "out.db", NOW, with_models=False, progress=progress)
    ended.set()
    thread.join()
    writer.close()
    remaining = [one for one, _ in steps]
    assert commits > 5
    assert remaining == sorted(remaining, reverse=True)
    assert len(steps) <= steps[0][1]
    assert rows_of(saved.path) == 4000
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(crops)).scalar_one() > 4000


@pytest.mark.process
def test_a_full_disk_leaves_nothing_behind(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "256k") as disk:
        with pytest.raises(
            OutputError, match="cannot be written: the disk is full; free some space or write elsewhere"
        ):
            backup.backup(database, configuration, disk, NOW, with_models=False)
        assert list(disk.iterdir()) == []


def test_a_damaged_copy_is_removed(
    database: Database, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copying.verify

    def damage(copy: Path, *others: object) -> None:
        content = bytearray(copy.read_bytes())
        content[8192:12288] = b"\xff" * 4096
        copy.write_bytes(content)
        before(copy, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "verify", damage)
    with pytest.raises(StoreDamagedError, match=r"the copy is damaged .* and was removed"):
        backup.backup(database, configuration, tmp_path / "out" / "a.db", NOW, with_models=False)
    assert below(tmp_path / "out") == []


def test_a_copy_that_lacks_rows_is_removed(
    database: Database, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copying.verify

    def lose(copy: Path, *others: object) -> None:
        with closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute("delete from crops where id = 7")
        before(copy, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "verify", lose)
    with pytest.raises(StoreDamagedError, match="does not hold what the database does"):
        backup.backup(database, configuration, tmp_path / "out" / "a.db", NOW, with_models=False)
    assert below(tmp_path / "out") == []


def test_a_folder_that_cannot_be_written(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the folder cannot be made"):
        backup.backup(database, configuration, tmp_path / "file" / "sub" / "a.db", NOW, with_models=False)


def test_a_folder_without_permission(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with as_nobody(tmp_path):
        closed.mkdir(mode=0)
        for output in (closed, closed / "a.db", closed / "sub" / "a.db"):
            with pytest.raises(OutputError, match=r"closed.*Permission denied"):
                backup.backup(database, configuration, output, NOW, with_models=False)


def test_a_name_that_is_too_long(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="File name too long; nothing was saved"):
        backup.backup(database, configuration, tmp_path / "out" / ("x" * 300), NOW, with_models=False)
    assert below(tmp_path / "out") == []


def test_a_servers_database_is_saved_by_its_own_program(
    new_postgresql_database: Callable[[], str], configuration: Configuration, tmp_path: Path
) -> None:
    url = new_postgresql_database()
    with made_up(url) as made:
        with pytest.raises(StoreError) as refused:
            backup.backup(made.database, configuration, tmp_path, NOW, with_models=True)
        port = made.database.engine.url.port
    assert f"pg_dump --format=custom --file=monitor.dump --host=127.0.0.1 --port={port} --username=monitor" in str(
        refused.value
    )
    assert "geheim" not in str(refused.value)


def test_the_daemon_lives_through_a_backup_that_fills_the_disk_and_goes_on_from_one_that_does_not(
    daemon: Daemon, run_monitor: RunMonitor, small_dataset: Path, tmp_path: Path
) -> None:
    pictures = sorted((small_dataset / "train").glob("*.jpg"))
    daemon.inbox.mkdir()
    (tmp_path / "config.toml").write_text("[inbox]\nafter = 'keep'\n")
    daemon.start()
    for path in pictures[:30]:
        shutil.copyfile(path, daemon.inbox / path.name)
    daemon.until(lambda: daemon.count() == 30)
    with small_disk(tmp_path / "small") as disk:
        full = run_monitor("db", "backup", "--output", disk)
        assert (full.returncode, full.stdout) == (73, "")
        assert full.stderr.endswith(
            "cannot be written: the disk is full; free some space or write elsewhere; nothing was saved\n"
        )
        assert list(disk.iterdir()) == []
    shutil.copyfile(pictures[30], daemon.inbox / pictures[30].name)
    daemon.until(lambda: daemon.count() == 31)
    done = run_monitor("db", "backup", "--output", tmp_path / "saved", "--models")
    assert done.returncode == 0, done.stderr
    assert "31 crops, 1 model" in done.stdout
    shutil.copyfile(pictures[31], daemon.inbox / pictures[31].name)
    daemon.until(lambda: daemon.count() == 32)
    assert daemon.stop() == 0
    # The folder is a state as it stands.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "saved", elsewhere / "state")
    assert (elsewhere / "state" / "config.toml").read_text() == "[inbox]\nafter = 'keep'\n"
    environment = {"MONITOR__PATHS__STATE": str(elsewhere / "state")}
    status = run_monitor("status", environment=environment)
    assert (status.returncode, status.stderr) == (0, "")
    assert "31 scored" in status.stdout
    assert run_monitor("db", "check", environment=environment).returncode == 0
    daemon.environment |= environment
    daemon.database = elsewhere / "state" / "monitor.db"
    daemon.start()
    daemon.until(lambda: daemon.count() == 32)
    assert daemon.stop() == 0


def test_a_model_that_is_not_whole_is_told_and_the_rest_is_saved(
    daemon: Daemon, run_monitor: RunMonitor, tmp_path: Path
) -> None:
    (folder,) = (daemon.home / "state" / "models").iterdir()
    (folder / "training.json").unlink()
    done = run_monitor("db", "backup", "--output", tmp_path / "saved", "--models")
    assert done.returncode == 65
    assert f"{folder} is not what was trained; it is saved as it is" in done.stderr
    assert rows_of(tmp_path / "saved" / "monitor.db") == 0
    assert (tmp_path / "saved" / "models" / folder.name / "model.json").exists()


def test_a_name_of_the_time_by_default(daemon: Daemon, run_monitor: RunMonitor, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    done = run_monitor("db", "backup")
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("monitor-*.db")
    written = datetime.strptime(file.name, "monitor-%Y%m%dT%H%M%SZ.db").replace(tzinfo=UTC)
    assert before <= written <= datetime.now(UTC)
    assert not list(tmp_path.glob(".unfinished*"))
    assert subprocess.run(["test", "-s", file]).returncode == 0
