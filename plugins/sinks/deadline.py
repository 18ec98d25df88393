"""A limit of the time that a receiver gets for all of a message."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType


class Deadline:
    """Hangs up what it watches when the time is over, so that whoever waits for it gets an error.

    The libraries' own limits are for each read: whoever sends a byte now and then would hold us for hours.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._watched: Any = None
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, connection: Any) -> None:
        """Hang up this connection, which has its socket as ``sock`` once it has one."""
        self._watched = connection

    def __enter__(self) -> Deadline:
        """Begin."""
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it be."""
        self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        with suppress(OSError, AttributeError):  # it may not be connected yet, or no more
            self._watched.sock.shutdown(socket.SHUT_RDWR)
