"""Programs of ours, started as a person would start them, with what they took and what they said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from monitor.errors import ExitCode, MonitorError, OutputError
from monitor.harness.memory import Memory
from monitor.harness.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# With less than this, a program that failed most likely did so for lack of space.
LEAST_FREE_BYTES: Final = 50_000_000
LINES_SHOWN: Final = 15


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its messages, and what it took.

    ``wall_seconds`` from its start to its end, ``cpu_seconds`` of all its processes, ``peak_bytes`` as `Memory` has it,
    or 0 where its memory was not watched.
    """

    messages: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class Running:
    """A program while it runs. As a context manager it has ended at the end of the block, whatever happens."""

    def __init__(
        self,
        arguments: Sequence[str],
        messages: Path,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        watch_memory: bool = True,
    ) -> None:
        """Start Python with these arguments.

        Its messages are appended to the file ``messages``; other output goes nowhere. It runs in ``folder`` with
        ``environment``, or where and with what this program runs.
        """
        self.arguments = arguments
        self.messages = messages
        self._started = time.perf_counter()
        self._wall_seconds = self._cpu_seconds = 0.0
        with messages.open("ab") as stream:
            self._said_before = stream.tell()
            # In a session of its own, so that it can be ended together with the processes that it starts.
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
        self.memory = Memory(self.process.pid) if watch_memory else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def text(self) -> str:
        """What it has said so far."""
        with self.messages.open("rb") as stream:
            stream.seek(self._said_before)
            return stream.read().decode("utf-8", errors="replace")

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.process.poll() is not None

    def require_running(self) -> None:
        """Raise `MonitorError` with its last messages when it has ended by itself."""
        if self.has_ended():
            raise self._failure(self.process.returncode)

    def ended(self) -> Ended:
        """Wait for the end; raises `MonitorError` with its last messages where that is a failure."""
        if code := self._wait():
            raise self._failure(code)
        peak = self.memory.peak_bytes if self.memory else 0
        return Ended(self.text(), self._wall_seconds, self._cpu_seconds, peak)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, as systemd would, and return its exit code; after a minute it is ended by force."""
        self.process.send_signal(number)
        force = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        force.start()
        try:
            return self._wait()
        finally:
            force.cancel()

    def kill(self) -> None:
        """End it and all that it started, whatever it does."""
        if self.memory is not None:
            self.memory.close()
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait(self) -> int:
        """Wait for its end and return its exit code, or -N where signal N ended it."""
        if self.process.returncode is None:
            _, status, usage = os.wait4(self.process.pid, 0)
            self._wall_seconds = time.perf_counter() - self._started
            self._cpu_seconds = usage.ru_utime + usage.ru_stime
            self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.memory is not None:
            self.memory.close()
        return self.process.returncode

    def _failure(self, code: int) -> MonitorError:
        last = "\n".join(self.text().splitlines()[-LINES_SHOWN:])
        sentence = f"python {' '.join(self.arguments)}: ended with exit code {code}; it said:\n{last}"
        if shutil.disk_usage(self.messages.parent).free < LEAST_FREE_BYTES or code == ExitCode.CANNOT_CREATE:
            return OutputError(f"{self.messages.parent}: the disk is full; free some space or set TMPDIR. {sentence}")
        return MonitorError(sentence)


def run(arguments: Sequence[str], messages: Path, *, watch_memory: bool = True) -> Ended:
    """Run a program to its end."""
    with Running(arguments, messages, watch_memory=watch_memory) as program:
        return program.ended()
