"""Programs that are measured: started as a person would start them, with the memory of all their processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import ExitCode, MonitorError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOK_SECONDS: Final = 0.5
"""Between two looks at the memory: the kernel walks all pages of a process, a millisecond each time."""
PATIENCE_SECONDS: Final = 60.0
LEAST_FREE_BYTES: Final = 50_000_000
LINES_SHOWN: Final = 15


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its messages, and what it took.

    ``wall_seconds`` from its start to its end, ``cpu_seconds`` of all its processes, ``peak_bytes`` as `Memory` has it.
    """

    messages: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class Memory:
    """The peak of the memory of a process and all its descendants together, in bytes.

    Pages that several of them share are counted once (the kernel's proportional set size). That is seen every half
    second; between two looks counts what the kernel keeps itself, the peak of each process alone. Not ``ru_maxrss``,
    which begins with what the program that started the process had.
    """

    def __init__(self, root: int) -> None:
        self.peak_bytes = 0
        self._root = root
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            together, alone = tree_bytes(self._root)
            self.peak_bytes = max(self.peak_bytes, together, alone)


def tree_bytes(root: int) -> tuple[int, int]:
    """The memory of a process and its descendants together now, and the peak of the largest of them alone."""
    tree = [root, *descendants(root)]
    together = sum(_bytes(one, "smaps_rollup", "Pss:") for one in tree)
    return together, max(_bytes(one, "status", "VmHWM:") for one in tree)


def descendants(root: int) -> list[int]:
    """The processes that a process started, that those started, and so on."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and (parent := _parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        own = children.get(waiting.pop(), [])
        found += own
        waiting += own
    return found


def _parent(process: int) -> int | None:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None  # it has ended meanwhile
    # The name in brackets may hold brackets and blanks itself.
    return int(status.rpartition(")")[2].split()[1])


def _bytes(process: int, file: str, name: str) -> int:
    """A figure of a process in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


class Running:
    """A program of ours while it runs; `ended` waits for its end."""

    def __init__(self, arguments: Sequence[str], messages: Path, *, watch_memory: bool = True) -> None:
        """Start Python with these arguments; messages go into a file, all other output nowhere."""
        self.arguments = arguments
        self.messages = messages
        self._started = time.perf_counter()
        with messages.open("wb") as stream:
            # In a session of its own, so that it can be ended together with the processes that it starts.
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
        self.memory = Memory(self.process.pid) if watch_memory else None

    def text(self) -> str:
        """What it has said so far."""
        return self.messages.read_text(encoding="utf-8", errors="replace")

    def require_running(self) -> None:
        """Raise `MonitorError` with its last messages when it has ended by itself."""
        if self.process.poll() is not None:
            raise self._failure(self.process.returncode)

    def ended(self) -> Ended:
        """Wait for the end; raises `MonitorError` with its last messages where that is a failure."""
        _, status, usage = os.wait4(self.process.pid, 0)
        wall = time.perf_counter() - self._started
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.memory is not None:
            self.memory.close()
        if self.process.returncode != 0:
            raise self._failure(self.process.returncode)
        peak = self.memory.peak_bytes if self.memory else 0
        return Ended(self.text(), wall, usage.ru_utime + usage.ru_stime, peak)

    def stop(self) -> Ended:
        """Ask it to end, as systemd would, and wait; one that does not is ended by force, which is a failure."""
        self.process.send_signal(signal.SIGTERM)
        force = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        force.start()
        try:
            return self.ended()
        finally:
            force.cancel()

    def kill(self) -> None:
        """End it and all that it started, whatever it does."""
        if self.memory is not None:
            self.memory.close()
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _failure(self, code: int) -> MonitorError:
        last = "\n".join(self.text().splitlines()[-LINES_SHOWN:])
        sentence = f"python {' '.join(self.arguments)}: ended with {code} while it was measured; it said:\n{last}"
        if shutil.disk_usage(self.messages.parent).free < LEAST_FREE_BYTES or code == ExitCode.CANNOT_CREATE:
            return OutputError(f"{self.messages.parent}: the disk is full; free some space or set TMPDIR. {sentence}")
        return MonitorError(sentence)


@contextmanager
def running(arguments: Sequence[str], messages: Path, *, watch_memory: bool = True) -> Iterator[Running]:
    """Start a program; whatever happens, it has ended at the end."""
    program = Running(arguments, messages, watch_memory=watch_memory)
    try:
        yield program
    finally:
        program.kill()


def run(arguments: Sequence[str], messages: Path, *, watch_memory: bool = True) -> Ended:
    """Run a program to its end."""
    with running(arguments, messages, watch_memory=watch_memory) as program:
        return program.ended()
