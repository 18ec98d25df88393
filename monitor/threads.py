"""Threads of the daemon: one that knows how long it has been busy, and one that repeats something."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread
from typing import TYPE_CHECKING

from monitor.errors import ExitCode, MonitorError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class TimedThread:
    """A thread with one job, which notes when it began with a piece of work.

    ``died`` is called with the exit code when the job ends by an error.
    """

    def __init__(self, name: str, run: Callable[[TimedThread], None], died: Callable[[ExitCode], None]) -> None:
        self.name = name
        self.busy_since: float | None = None
        self._run = run
        self._died = died
        self._thread = Thread(target=self._guarded, name=name, daemon=True)
        self.start, self.join, self.is_alive = self._thread.start, self._thread.join, self._thread.is_alive

    def busy(self) -> None:
        """Note that a new piece of work begins."""
        self.busy_since = time.monotonic()

    def idle(self) -> None:
        """Note that the thread waits for work."""
        self.busy_since = None

    def hangs(self, seconds: float) -> bool:
        """Whether one piece of work has taken longer than ``seconds``."""
        since = self.busy_since
        return since is not None and time.monotonic() - since > seconds

    def _guarded(self) -> None:
        try:
            self._run(self)
        except MonitorError as error:
            log.critical("%s; the daemon stops, and undecided crops stay in the inbox", error)
            self._died(error.exit_code)
        except BaseException:
            log.critical("the %s failed by a defect; the daemon stops, to be restarted", self.name, exc_info=True)
            self._died(ExitCode.UNEXPECTED)


class RepeatingThread:
    """A thread that repeats an action, with a pause after each time, until it is stopped.

    ``action`` contains its own failures. ``at_the_end`` is called once, in the thread, after the last time.
    """

    def __init__(
        self,
        name: str,
        action: Callable[[], None],
        pause_seconds: float,
        at_the_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._action = action
        self._pause_seconds = pause_seconds
        self._at_the_end = at_the_end
        self._ended = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self.start = self._thread.start

    def stop(self, wait_seconds: float) -> None:
        """Let this be the last time, and wait for it, but no longer than this."""
        self._ended.set()
        self._thread.join(wait_seconds)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._action()
            self._ended.wait(self._pause_seconds)
        self._at_the_end()
