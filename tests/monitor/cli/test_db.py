from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from monitor.store.database.schema import SCHEMA_REVISION

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def change(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as connection, connection:
        connection.execute(statement)


def test_looking_makes_nothing(home: Path, monitor: Run) -> None:
    current = monitor("db", "current")
    assert current.returncode == 0
    assert current.stdout == f"sqlite:///{home}/state/monitor.db: schema none: it is empty\n"
    assert monitor("db", "check").returncode == 4
    assert not (home / "state").exists()


def test_upgrade_makes_the_schema_and_may_be_repeated(home: Path, monitor: Run, dump: Callable[[], list[str]]) -> None:
    first = monitor("db", "upgrade")
    assert first.stdout == f"sqlite:///{home}/state/monitor.db: schema {SCHEMA_REVISION}\n"
    tables = dump()
    assert monitor("db", "upgrade").stdout == first.stdout
    assert dump() == tables
    assert monitor("db", "current").stdout == first.stdout
    check = monitor("db", "check")
    assert (check.returncode, check.stdout) == (
        0,
        f"sqlite:///{home}/state/monitor.db: schema {SCHEMA_REVISION}, nothing is wrong\n",
    )


def test_check_names_every_difference(home: Path, monitor: Run) -> None:
    monitor("db", "upgrade")
    change(home, "drop table labels")
    change(home, "alter table crops add column colour text")
    outcome = monitor("db", "check")
    assert (outcome.returncode, outcome.stderr) == (65, "")
    lines = outcome.stdout.splitlines()
    assert lines[0] == f"sqlite:///{home}/state/monitor.db: schema {SCHEMA_REVISION}, something is wrong"
    assert lines[1].startswith("differences between the tables and those of this program: ")
    assert any("labels" in line for line in lines)
    assert any("colour" in line for line in lines)


def test_a_newer_schema_is_refused_by_every_command(
    trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path
) -> None:
    change(trained, "update alembic_version set version_num = '9999'")
    before = dump()
    for words in (("db", "upgrade"), ("db", "check"), ("status",), ("score", str(small_dataset / "test"))):
        outcome = monitor(*words)
        assert outcome.returncode == 65
        assert "has the schema 9999, which is newer than this program's" in outcome.stderr
        assert "install the newer monitor that wrote it" in outcome.stderr
    assert dump() == before


def test_an_empty_file_says_how_to_fill_it(home: Path, monitor: Run) -> None:
    (home / "state").mkdir()
    (home / "state" / "monitor.db").touch()
    outcome = monitor("status")
    assert outcome.returncode == 65
    assert "monitor db upgrade" in outcome.stderr


def test_a_file_that_is_no_database(home: Path, monitor: Run) -> None:
    (home / "state").mkdir()
    (home / "state" / "monitor.db").write_text("x" * 4096, encoding="utf-8")
    for word in ("current", "upgrade", "check"):
        outcome = monitor("db", word)
        assert outcome.returncode == 65
        assert f"{home}/state/monitor.db: is damaged or not a database" in outcome.stderr
        assert "restore the last backup" in outcome.stderr


def test_a_locked_database_is_a_temporary_failure(trained: Path, monitor: Run, small_dataset: Path) -> None:
    (trained / "config.toml").write_text("[database]\nbusy_seconds = 0.1\n", encoding="utf-8")
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection:
        connection.execute("begin exclusive")
        outcome = monitor("score", small_dataset / "test")
    assert outcome.returncode == 75
    assert f"{trained}/state/monitor.db: locked by another program" in outcome.stderr
