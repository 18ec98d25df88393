"""A real server in a process of its own, on loopback, that can be killed and started again at the same port."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from monitor.harness.daemon import free_port
from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ServerProcess:
    """One at a port of its own."""

    def __init__(self, log: Path) -> None:
        """``log``: where what it says goes."""
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, program: Sequence[str | Path]) -> None:
        """Run it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(program, stdout=log, stderr=log)
        wait_until(self._is_ready, self.text)

    def stop(self) -> None:
        """End it as its administrator would."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(number)

    def text(self) -> str:
        """What it has said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def answers(self) -> bool:
        """Whether it can be used."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.text()
        return self.answers()


class PlcProgram:
    """What a PLC does all the time, in a thread, as long as it is entered."""

    def __init__(self) -> None:
        self.ended = Event()
        # When it has taken each message, in Unix time.
        self.taken_at: list[float] = []
        self._thread = Thread(target=self.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._thread.join()

    def run(self) -> None:
        """Do it until ``ended`` is set."""
        raise NotImplementedError
