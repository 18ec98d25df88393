"""No command prints while it reads from the database: what it prints to may wait for hours, as `less` does.

As long as a transaction is open, SQLite's log cannot be emptied and grows with every crop.
"""

from __future__ import annotations

import fcntl
import sqlite3
import struct
import sys
import termios
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from monitor.cli import COMMANDS
from monitor.harness.waiting import wait_until
from monitor.store.database.engine import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from tests.monitor.cli.conftest import Run, Start

# What is tried of each command that reads from the database and prints.
TRIED = {
    "status": ["status", "status --format json", "status --missing"],
    "label": ["label --audit 2", "label --audit-open", "label --audit-open --format json"],
    "labels": [
        "labels list", "labels list --format json", "labels list --contradictions", "labels export",
    ],
    "models": ["models list", "models list --format json", "models show ae", "models retrained", "models shadow"],
    "threshold": ["threshold show", "threshold list", "threshold list --format json", "threshold diff 1 1"],
    "replay": ["replay", "replay --format json"],
    "quality": ["quality --window 1", "quality --window 1 --format json"],
    "drift": ["drift", "drift --format json"],
    "cast": ["cast list", "cast list --format json"],
    "pause": ["pause list", "pause list --over"],
    "alarms": [
        "alarms list", "alarms list --format json", "alarms show 1", "alarms deliveries", "alarms sinks",
        "alarms replay", "alarms replay --format json", "alarms export 1 --output alarm.zip",
    ],
    "db": ["db current", "db check", "db check --format json"],
    "score": ["score crops --exit-zero", "score crops --exit-zero --format csv"],
    "show": ["show 1"],
    "recalibrate": ["recalibrate --dry-run"],
}  # fmt: skip
# The others read what they print first, print no rows of the database, or do not use it.
OTHERS = {
    *("train", "calibrate", "evaluate", "compare", "report", "run", "web", "plugins", "config", "deploy", "bench"),
    "demo",
    *("completion", "retrain", "selftest"),
}
LABELS = 4000
# What a pipe holds on Linux.
PIPE_BYTES = 65536


@pytest.fixture
def labelled(trained: Path, small_dataset: Path, monitor: Run, change: Callable[[str], None]) -> Path:
    """The home with a few crops, and thousands of labels."""
    (trained / "crops").symlink_to(small_dataset / "test")
    assert monitor("score", "crops", "--exit-zero").returncode == 0
    change(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers limit "
        f"{LABELS}) insert into labels (crop_id, label, source, author, at, settles) "
        "select 1 + n % 3, 'ne_proliv', 'command', 'anna', '2024-01-01 00:00:00.000000', 0 from numbers"
    )
    return trained


def test_every_command_is_tried_or_has_a_reason() -> None:
    assert set(COMMANDS) - TRIED.keys() - OTHERS == set()


def test_nothing_is_printed_in_a_transaction(labelled: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: set[int] = set()
    connect = Database._connect

    @contextmanager
    def connected(database: Database) -> Iterator[Connection]:
        with connect(database) as connection:
            opened.add(id(connection))
            try:
                yield connection
            finally:
                opened.discard(id(connection))

    printed = inside = 0
    write = sys.stdout.write

    def counted(text: str) -> int:
        nonlocal printed, inside
        printed += 1
        inside += bool(opened)
        return write(text)

    monkeypatch.setattr(Database, "_connect", connected)
    monkeypatch.setattr(sys.stdout, "write", counted)
    for commands in TRIED.values():
        for command in commands:
            printed = 0
            outcome = monitor(*command.split())
            assert outcome.returncode in (0, 65), outcome.stderr
            assert printed or not outcome.stdout, command
            assert (command, inside) == (command, 0)


@pytest.mark.parametrize("command", ["labels list", "labels export"])
def test_a_pipe_that_is_left_open_keeps_no_log_from_being_emptied(labelled: Path, start: Start, command: str) -> None:
    process = start(*command.split())
    assert process.stdout is not None
    pipe = process.stdout.fileno()

    def waiting() -> int:
        (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
        return int(count)

    wait_until(lambda: waiting() > PIPE_BYTES - 8192 or process.poll() is not None, lambda: "the pipe never filled")
    assert process.poll() is None
    with closing(sqlite3.connect(labelled / "state" / "monitor.db", isolation_level=None)) as writer:
        writer.execute("update labels set note = 'the camera was cleaned'")
        # (whether it was hindered, pages in the log, pages that were taken over from it)
        assert writer.execute("pragma wal_checkpoint(truncate)").fetchone() == (0, 0, 0)
    assert (labelled / "state" / "monitor.db-wal").stat().st_size == 0
