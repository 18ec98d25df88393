"""What the daemon's main thread waits for: signals, and what its other threads tell it."""

from __future__ import annotations

import os
import signal
from queue import Empty, SimpleQueue
from typing import Literal

Happening = Literal["stop", "reload", "hangup", "dead"]


class Happenings:
    """What has happened, in order: "reload" is a wish of the program itself, "hangup" one of a person.

    ``stopping``: whether the daemon is to stop or does.
    """

    def __init__(self) -> None:
        # Signal handlers may put into a SimpleQueue and set an attribute; an Event's lock would not survive them.
        self._queue: SimpleQueue[Happening] = SimpleQueue()
        self.stopping = False
        self._waiting: set[Happening] = set()

    def listen(self) -> None:
        """Hear signals from now on; a second one to stop ends the process at once."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self._ask("hangup"))

    def _on_stop(self, number: int, _frame: object) -> None:
        if self.stopping:
            os._exit(128 + number)
        self.stopping = True
        self._queue.put("stop")

    def ask_to_reload(self) -> None:
        """Ask for the models and thresholds to be loaded again."""
        self._ask("reload")

    def _ask(self, wish: Happening) -> None:
        """Ask once, however often it is wished: a stop must not wait behind a hundred reloads."""
        if wish not in self._waiting:
            self._waiting.add(wish)
            self._queue.put(wish)

    def tell_of_death(self) -> None:
        """Say that a thread has ended that must not end."""
        self._queue.put("dead")

    def next(self, seconds: float) -> Happening | None:
        """Wait so long for what happens next; None when nothing does."""
        try:
            happening = self._queue.get(timeout=seconds)
        except Empty:
            return None
        self._waiting.discard(happening)
        return happening
