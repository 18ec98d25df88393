"""The daemon as a real process, for tests."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any

from monitor.harness import daemon as harness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
        self.running: harness.Daemon | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """That of the last start."""
        return self.running.process if self.running else None

    def start(self, *, ready: bool = True) -> subprocess.Popen[bytes]:
        self.running = harness.Daemon(self.log, folder=self.home, environment=self.environment)
        if ready:
            self.running.until_ready()
        return self.running.process

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.running is not None
        return self.running.stop(number)

    def kill(self) -> None:
        """End it by force where it still runs."""
        if self.running is not None:
            self.running.kill()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition while the daemon runs."""
        assert self.running is not None
        self.running.until(condition)
        self.running.require_running()

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def count(self, condition: str = "1 = 1") -> int:
        number: int = self.query(f"select count(*) from crops where {condition}")[0][0]
        return number

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a command says about the same state, while the daemon runs or not."""
        environment = {name: value for name, value in self.environment.items() if "PORT" not in name}
        program = [sys.executable, "-m", "monitor", *arguments]
        return subprocess.run(program, cwd=self.home, env=environment, capture_output=True, text=True)

    def metrics(self) -> dict[str, float]:
        port = re.findall(r"http://127\.0\.0\.1:(\d+)/metrics", self.text())[-1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}
