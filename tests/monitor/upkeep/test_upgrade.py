"""A database of every earlier schema is brought up to date, and what it was is kept beside it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from monitor.errors import AlreadyRunningError, OutputError, StoreDamagedError, StoreSchemaError
from monitor.store import daemons
from monitor.store.database.schema import SCHEMA_REVISION
from monitor.store.database.upgrade import current_revision, differences
from monitor.upkeep.upgrade import Upgraded, bring_up_to_date, copies
from tests.support.disks import small_disk
from tests.support.revisions import EARLIER, migrate
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.store.database.engine import Database
    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon

CROPS = 300
CROP = (
    "insert into crops (path, sha256, size_bytes, mtime_ns, seen_at, state, reason, error) "
    "values (:path, '', 0, 0, '2024-05-01', 'failed', 'vanished', 'it is gone')"
)
BEFORE, BEFORE_THAT = EARLIER[-1], EARLIER[-2]


@contextmanager
def earlier(folder: Path, revision: str) -> Iterator[Database]:
    """A database of an earlier schema with some crops."""
    with opened(f"sqlite:///{folder / 'monitor.db'}") as database:
        migrate(database, revision)
        with database.rebuild() as connection:
            connection.execute(text(CROP), [{"path": f"/inbox/{number}.jpg"} for number in range(CROPS)])
        yield database


def held(file: Path) -> tuple[str, int]:
    """The schema and the number of crops in a file, which is whole and has no log beside it."""
    assert not file.with_name(f"{file.name}-wal").exists()
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        (revision,) = connection.execute("select version_num from alembic_version").fetchone()
        (crops,) = connection.execute("select count(*) from crops").fetchone()
    return revision, crops


@pytest.mark.parametrize("revision", EARLIER)
def test_every_earlier_schema_is_upgraded_and_kept_as_it_was(tmp_path: Path, revision: str) -> None:
    doing: list[str] = []
    with earlier(tmp_path, revision) as database:
        done = bring_up_to_date(database, begin=doing.append)
        copy = tmp_path / f"monitor.db.schema-{revision}"
        assert done == Upgraded(revision, copy)
        assert held(copy) == (revision, CROPS)
        assert differences(database) == []
        with database.read() as connection:
            assert connection.execute(text("select count(*) from crops")).scalar_one() == CROPS
        assert doing == [
            f"copying the database to {copy} before its upgrade",
            f"checking {copy}",
            f"bringing the database from schema {revision} to {SCHEMA_REVISION}",
        ]
        assert bring_up_to_date(database, begin=doing.append) is None
    assert len(doing) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"monitor.db", copy.name}


def test_an_empty_one_is_made_without_a_copy(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'state' / 'monitor.db'}") as database:
        assert bring_up_to_date(database) == Upgraded(None, None)
        assert current_revision(database) == SCHEMA_REVISION
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["monitor.db"]


def test_the_copies_of_two_upgrades_are_kept_and_one_cut_off_is_not(tmp_path: Path) -> None:
    (tmp_path / "monitor.db.unfinished-copy").write_text("cut off by a kill")
    for name in ("monitor.db.schema-0001", "monitor.db.schema-0002", f"monitor.db.schema-{BEFORE}"):
        (tmp_path / name).write_text("an older copy")
    (tmp_path / "monitor.db.daemon").touch()
    with earlier(tmp_path, BEFORE) as database:
        bring_up_to_date(database)
    assert [path.name for path in copies(tmp_path / "monitor.db")] == [
        "monitor.db.schema-0002",
        f"monitor.db.schema-{BEFORE}",
    ]
    assert held(tmp_path / f"monitor.db.schema-{BEFORE}") == (BEFORE, CROPS)
    assert not (tmp_path / "monitor.db.unfinished-copy").exists()


def test_only_copies_are_forgotten_whatever_else_lies_beside_them(tmp_path: Path) -> None:
    others = ["monitor.db.schema-0001.mine", "monitor.db.schema-0002-wal", "monitor.db.schema-notes"]
    for name in ("monitor.db.schema-0003", *others[:2]):
        (tmp_path / name).touch()
    (tmp_path / others[2]).mkdir()
    (tmp_path / "monitor.db.schema-0000").mkdir()
    with earlier(tmp_path, BEFORE) as database:
        bring_up_to_date(database)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        *others,
        "monitor.db",
        "monitor.db.schema-0000",
        "monitor.db.schema-0003",
        f"monitor.db.schema-{BEFORE}",
    }


def test_none_is_kept_where_none_is_wished(tmp_path: Path) -> None:
    with earlier(tmp_path, BEFORE) as database:
        assert bring_up_to_date(database, keep_copy=False) == Upgraded(BEFORE, None)
        assert copies(tmp_path / "monitor.db") == []


def test_a_newer_one_is_refused_without_a_copy(tmp_path: Path) -> None:
    with earlier(tmp_path, SCHEMA_REVISION) as database:
        with database.write() as connection:
            connection.execute(text("update alembic_version set version_num = '9999'"))
        with pytest.raises(StoreSchemaError, match=r"schema 9999, which is newer .* install the newer monitor"):
            bring_up_to_date(database)
        assert current_revision(database) == "9999"
        assert copies(tmp_path / "monitor.db") == []


def test_a_damaged_one_is_left_as_it_is(tmp_path: Path) -> None:
    with earlier(tmp_path, BEFORE) as database:
        pass
    file = tmp_path / "monitor.db"
    content = bytearray(file.read_bytes())
    # The last page belongs to the crops: reading the first ones still works.
    content[-4096:] = b"\xa5" * 4096
    file.write_bytes(content)
    with opened(f"sqlite:///{file}") as database:
        with pytest.raises(StoreDamagedError):
            bring_up_to_date(database)
        assert current_revision(database) == BEFORE
    assert copies(file) == []
    assert not (tmp_path / "monitor.db.unfinished-copy").exists()


@pytest.mark.process
def test_without_space_for_the_copy_nothing_is_done(tmp_path: Path) -> None:
    with earlier(tmp_path, BEFORE):
        pass
    size = (tmp_path / "monitor.db").stat().st_size
    with small_disk(tmp_path / "small", str(size * 5 // 2)) as disk, opened(f"sqlite:///{disk}/monitor.db") as database:
        shutil.copy(tmp_path / "monitor.db", disk)
        sentence = r"monitor\.db: is not brought up to date, because no copy .* MB are needed there, .* MB are free"
        with pytest.raises(OutputError, match=sentence):
            bring_up_to_date(database)
        assert current_revision(database) == BEFORE
        assert copies(disk / "monitor.db") == []


def test_on_a_server_others_have_to_end_first(new_postgresql_database: Callable[[], str]) -> None:
    with opened(new_postgresql_database()) as database:
        bring_up_to_date(database)
        with database.write() as connection:
            entered = daemons.enter(connection, daemons.Identity("other", 7, "0.9", "/inbox"))
            connection.execute(text("update alembic_version set version_num = '0000'"))
        with pytest.raises(AlreadyRunningError, match=r"process 7 on other, version 0\.9.*; stop all of them first"):
            bring_up_to_date(database)
        with database.write() as connection:
            daemons.leave(connection, entered)
        migrate_anew(database)
        assert bring_up_to_date(database) == Upgraded(BEFORE, None)
        assert differences(database) == []


def migrate_anew(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{SCHEMA_REVISION}'"))
    migrate(database, BEFORE)


def test_the_command_says_what_it_kept_and_leaves_a_running_daemon_alone(
    daemon: Daemon, run_monitor: RunMonitor
) -> None:
    with opened(f"sqlite:///{daemon.database}") as database:
        migrate(database, BEFORE_THAT)
    ended = run_monitor("db", "upgrade")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"monitor.db.schema-{BEFORE_THAT}: the database as it was, schema {BEFORE_THAT}" in ended.stdout

    with opened(f"sqlite:///{daemon.database}") as database:
        migrate(database, BEFORE)
    daemon.start()
    assert f"bringing the database from schema {BEFORE} to {SCHEMA_REVISION}" in daemon.text()
    assert f"the database as it was is kept as {daemon.database}.schema-{BEFORE}" in daemon.text()
    assert run_monitor("db", "upgrade").stdout.endswith(f"schema {SCHEMA_REVISION}\n")
    with opened(f"sqlite:///{daemon.database}") as database, database.write() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{BEFORE}'"))
    refused = run_monitor("db", "upgrade")
    assert refused.returncode == 75
    assert "a daemon works on this database" in refused.stderr
    assert "or restart it with this version" in refused.stderr


def test_a_daemon_does_not_start_on_a_newer_database(daemon: Daemon) -> None:
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.execute("update alembic_version set version_num = '9999'")
    process = daemon.start(ready=False)
    assert process.wait(60) == 65
    assert "has the schema 9999, which is newer than this program's" in daemon.text()
