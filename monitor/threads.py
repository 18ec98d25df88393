"""A thread of the daemon that knows how long it has been busy."""

from __future__ import annotations

import logging
import time
from threading import Thread
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
