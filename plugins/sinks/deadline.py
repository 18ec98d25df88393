"""A limit of the time that a receiver gets for all of a message."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import TracebackType

# Once the time is over it is hung up again and again: there may be no connection yet, or another socket by then.
AGAIN_SECONDS: Final = 1.0


class Deadline:
    """Hangs up what it watches when the time is over, so that whoever waits for it gets an error.

    The libraries' own limits are for each read: whoever sends a byte now and then would hold us for hours.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._until = time.monotonic() + seconds
        self._watched: Any = None
        self._held: socket.socket | None = None
        self._left = False

    @property
    def seconds(self) -> float:
        """How many seconds are left; 0 where the time is over."""
        return max(0.0, self._until - time.monotonic())

    def watch(self, connection: Any) -> None:
        """Hang up this connection, which has its socket as ``sock`` once it has one."""
        self._watched = connection

    def hold(self, connection: socket.socket) -> None:
        """Hang up this connection whoever takes it over and hides it: TLS, or an answer that is read."""
        self._held = connection.dup()

    def __enter__(self) -> Deadline:
        """Begin."""
        self._begin(self.seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it be."""
        self._left = True
        self._timer.cancel()
        if self._held is not None:
            self._held.close()

    def _begin(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        if self._left:
            return
        self.over = True
        hung_up: list[Any] = [self._held, getattr(self._watched, "sock", None)]
        for connection in hung_up:
            with suppress(OSError, AttributeError):  # it may not be connected yet, or no more
                connection.shutdown(socket.SHUT_RDWR)
        self._begin(AGAIN_SECONDS)
