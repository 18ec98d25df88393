"""Fixtures for the command line: a home folder, the program run in this process or in one of its own."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Outcome = subprocess.CompletedProcess[str]
Run = Callable[..., Outcome]
Rows = Callable[[str], list[tuple[Any, ...]]]
Start = Callable[..., subprocess.Popen[bytes]]
COUNTS = "select (select count(*) from crops), (select count(*) from scores)"

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


@pytest.fixture
def some_proliv(small_dataset: Path) -> Path:
    return min((small_dataset / "proliv").iterdir())


@pytest.fixture
def broken(tmp_path: Path, some_proliv: Path) -> Path:
    """A folder of files that are no crops; each is called by the reason why."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "empty.jpg").touch()
    data = some_proliv.read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (folder / "unknown_format.jpg").write_text("hello", encoding="utf-8")
    os.mkfifo(folder / "not_a_file.jpg")
    (folder / "symlink.jpg").symlink_to(some_proliv)
    (folder / "symlink-dangling.jpg").symlink_to("nowhere")
    (folder / "too_many_pixels.png").write_bytes(_huge_png())
    (folder / "not-a-crop.txt").write_text("ignored", encoding="utf-8")
    return folder


def _huge_png() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in a hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def scored(monitor: Run, *arguments: str | Path, code: int = 3) -> list[dict[str, Any]]:
    """The results of `monitor score` as JSON."""
    outcome = monitor("score", *arguments, "--format", "json")
    assert outcome.returncode == code, outcome.stderr
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def fix_threshold(monitor: Run, data: Path, threshold: float) -> None:
    """Set a threshold whatever the guard says of it."""
    outcome = monitor("calibrate", "--data", data, "--rule", "fixed", "--set", f"threshold={threshold}", "--accept")
    assert outcome.returncode == 0


def on_a_terminal(command: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    """What a program that ends well prints on a terminal of its own, both results and messages."""
    terminal, inside = os.openpty()
    pieces = []
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=inside, stderr=inside) as process:
        os.close(inside)
        with suppress(OSError):  # the end of the program is an error of the terminal
            while piece := os.read(terminal, 65536):
                pieces.append(piece)
    os.close(terminal)
    assert process.returncode == 0
    return b"".join(pieces).decode()
