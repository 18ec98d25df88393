"""Fixtures for the command line: a home folder, the program run in this process or in one of its own."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Outcome = subprocess.CompletedProcess[str]
Run = Callable[..., Outcome]
Rows = Callable[[str], list[tuple[Any, ...]]]

# The tests' own process must not fork: it has threads of all sorts.
CONFIGURATION = """\
[pipeline]
device = "cpu"
workers = 1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: an empty folder with a configuration, and no other one in sight."""
    for name in list(os.environ):
        if name.upper().startswith("MONITOR"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def trained(home: Path, trained_state: Path) -> Path:
    """The working directory with a copy of the state that holds one calibrated, active model."""
    shutil.copytree(trained_state, home / "state")
    return home


@pytest.fixture
def pair(home: Path, pair_state: Path, second_detector: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory with a copy of the state of two active models; `brightness` is the primary."""
    monkeypatch.syspath_prepend(second_detector)
    shutil.copytree(pair_state, home / "state")
    return home


@pytest.fixture
def monitor(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program's own `main` in this process; the outcome is that of a process."""
    from monitor.cli import main

    def run(*arguments: str | Path) -> Outcome:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["monitor", *words])
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        root.handlers = []
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            root.handlers = handlers
            root.setLevel(level)
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(words, end.value.code, out, err)

    return run


@pytest.fixture
def start(home: Path, starts_processes: None) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the program as a real process; one that is left over is killed."""
    with_pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "monitor", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=home, **{**with_pipes, **options})
        started.append(process)
        return process

    yield begin
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def rows(home: Path) -> Rows:
    """Ask the database in the state folder, past the program."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(home / "state" / "monitor.db")) as connection:
            return connection.execute(query).fetchall()

    return ask


@pytest.fixture
def change(home: Path) -> Callable[[str], None]:
    """Change the database in the state folder, past the program."""

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(home / "state" / "monitor.db")) as connection, connection:
            connection.execute(statement)

    return execute


@pytest.fixture
def dump(home: Path) -> Callable[[], list[str]]:
    """Everything that the database in the state folder holds, as SQL."""

    def write() -> list[str]:
        with closing(sqlite3.connect(home / "state" / "monitor.db")) as connection:
            return list(connection.iterdump())

    return write
