"""Values that take a while to find out: remembered for a time, and found out by one thread for all who ask."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from monitor.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger(__name__)

T = TypeVar("T")


class Remembered(Generic[T]):
    """A value that is looked up by whoever asks first, and then remembered for so many seconds."""

    def __init__(self, look_up: Callable[[datetime], T], seconds: float) -> None:
        self._look_up, self._for = look_up, timedelta(seconds=seconds)
        self._lock = Lock()
        self._known: tuple[datetime, T] | None = None

    def value(self, now: datetime) -> T:
        """The value, not older than that."""
        with self._lock:
            if self._known is None or not timedelta() <= now - self._known[0] < self._for:
                self._known = now, self._look_up(now)
            return self._known[1]


class Slow(Generic[T]):
    """A value that takes seconds: found out in a thread of its own, while the one before it is still shown.

    It is looked up again once it is as old as ``seconds``, and as twenty times what that took.
    """

    def __init__(self, look_up: Callable[[datetime], T], seconds: float) -> None:
        self._look_up, self._for = look_up, timedelta(seconds=seconds)
        self._lock = Lock()
        self._known: T | None = None
        self._next: datetime | None = None
        self._thread: Thread | None = None

    def value(self, now: datetime) -> T | None:
        """The last value that is known; None until the first one is."""
        with self._lock:
            due = self._next is None or now >= self._next
            if due and (self._thread is None or not self._thread.is_alive()):
                self._next = now + self._for
                self._thread = Thread(target=self._find_out, args=(now,), name="figures", daemon=True)
                self._thread.start()
            return self._known

    def wait(self) -> None:
        """Wait until what is being looked up is known."""
        if self._thread is not None:
            self._thread.join()

    def _find_out(self, now: datetime) -> None:
        from datetime import UTC, datetime

        begun = datetime.now(UTC)
        try:
            known = self._look_up(now)
        except MonitorError as error:
            log.warning("%s", error)
            return
        took = datetime.now(UTC) - begun
        with self._lock:
            self._known = known
            self._next = now + max(self._for, 20 * took)
