"""Tells systemd how the service is doing (`sd_notify`); does nothing unless systemd asked for it."""

from __future__ import annotations

import math
import os
import socket
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The shortest time between two status lines.
STATUS_SECONDS: Final = 5.0
# The longest time between two signs of life.
LONGEST_PAUSE_SECONDS: Final = 1.0
# How much more time stopping may take after each sign that it makes progress.
DRAIN_SECONDS: Final = 60.0
# How much more time starting may take after each sign that it goes on, and how often one is given.
START_SECONDS: Final = 60.0
START_SIGN_SECONDS: Final = 10.0


def notify(*lines: str) -> None:
    """Send assignments such as ``READY=1``; failing to reach systemd is ignored."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ stands for the zero byte of Linux's abstract socket names.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto("\n".join(lines).encode(), target)
        except OSError:
            return


def watchdog_seconds() -> float | None:
    """How long systemd waits for a sign of life before it restarts this process; None when it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    process = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1e6


class SignsOfLife:
    """What the daemon tells systemd regularly: that its pipeline moves, and what it is doing."""

    def __init__(self, moves: Callable[[float], bool], status: Callable[[], str]) -> None:
        """``moves``: whether no thread has been busy with one piece of work for longer than this many seconds."""
        self._moves = moves
        self._status = status
        self._patience = watchdog_seconds()
        self._told = ""
        # Not 0: a machine that has just been started counts its seconds from there.
        self._told_at = -math.inf

    @property
    def pause(self) -> float:
        """How long to wait before the next sign."""
        return LONGEST_PAUSE_SECONDS if self._patience is None else min(LONGEST_PAUSE_SECONDS, self._patience / 3)

    def give(self, *, ending: bool = False) -> None:
        """Give a sign where one is due; ``ending``: ask for more time to stop."""
        lines = []
        if self._moves(DRAIN_SECONDS if self._patience is None else self._patience):
            if self._patience is not None:
                lines.append("WATCHDOG=1")
            if ending:
                lines.append(f"EXTEND_TIMEOUT_USEC={round(DRAIN_SECONDS * 1e6)}")
        now = time.monotonic()
        if now - self._told_at >= STATUS_SECONDS and (status := self._status()) != self._told:
            self._told, self._told_at = status, now
            lines.append(f"STATUS={status}")
        if lines:
            notify(*lines)


@contextmanager
def longer_start() -> Iterator[None]:
    """Ask for more time to start as long as this lasts, with a thread that has ended afterwards.

    A single statement of an upgrade may take longer than a service may take to start.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        yield
        return
    ended = Event()

    def ask() -> None:
        while not ended.is_set():
            notify(f"EXTEND_TIMEOUT_USEC={round(START_SECONDS * 1e6)}")
            ended.wait(START_SIGN_SECONDS)

    thread = Thread(target=ask, name="longer start")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
