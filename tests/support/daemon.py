"""The daemon as a real process, for tests."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_SECONDS = 60.0


class Daemon:
    """One `monitor run` over a copy of a trained state."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inbox = home / "inbox"
        self.labelled = home / "labelled"
        self.log = home / "daemon.log"
        self.database = home / "state" / "monitor.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MONITOR")},
            "MONITOR__METRICS__PORT": "0",
            "MONITOR__WATCH__SCAN_SECONDS": "0.5",
            "MONITOR__WATCH__SETTLE_SECONDS": "0.3",
            "MONITOR__WATCH__GIVE_UP_SECONDS": "1.5",
            "MONITOR__DATABASE__BUSY_SECONDS": "1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            started = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run"], cwd=self.home, env=self.environment, stdout=log, stderr=log
            )
        if ready:
            wait_until(lambda: b" watching " in self.log.read_bytes()[started:] or self.process_ended(), self.text)
            assert not self.process_ended(), self.text()
        return self.process

    def process_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition while the daemon runs."""
        wait_until(lambda: condition() or self.process_ended(), self.text)
        assert not self.process_ended(), self.text()

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def count(self, condition: str = "1 = 1") -> int:
        number: int = self.query(f"select count(*) from crops where {condition}")[0][0]
        return number

    def metrics(self) -> dict[str, float]:
        port = re.findall(r"http://127\.0\.0\.1:(\d+)/metrics", self.text())[-1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def wait_until(condition: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"what the test waits for did not happen\n{explain()}")
        time.sleep(0.02)
