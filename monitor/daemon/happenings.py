"""What the daemon's main thread waits for: signals, and what its other threads tell it."""

from __future__ import annotations

import os
import signal
from queue import Empty, SimpleQueue
from typing import Literal

Happening = Literal["stop", "reload", "dead"]


class Happenings:
    """What has happened, in order.

    ``stopping``: whether the daemon is to stop or does.
    """

    def __init__(self) -> None:
        # Signal handlers may put into a SimpleQueue and set an attribute; an Event's lock would not survive them.
        self._queue: SimpleQueue[Happening] = SimpleQueue()
        self.stopping = False
        self._reload_waits = False

    def listen(self) -> None:
        """Hear signals from now on; a second one to stop ends the process at once."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self.ask_to_reload())

    def _on_stop(self, number: int, _frame: object) -> None:
        if self.stopping:
            os._exit(128 + number)
        self.stopping = True
        self._queue.put("stop")

    def ask_to_reload(self) -> None:
        """Ask once, however often it is wished: a stop must not wait behind a hundred reloads."""
        if not self._reload_waits:
            self._reload_waits = True
            self._queue.put("reload")

    def tell_of_death(self) -> None:
        """Say that a thread has ended that must not end."""
        self._queue.put("dead")

    def next(self, seconds: float) -> Happening | None:
        """Wait so long for what happens next; None when nothing does."""
        try:
            happening = self._queue.get(timeout=seconds)
        except Empty:
            return None
        if happening == "reload":
            self._reload_waits = False
        return happening
