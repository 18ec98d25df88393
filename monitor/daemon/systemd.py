"""Tells systemd how the service is doing (`sd_notify`); does nothing unless systemd asked for it."""

from __future__ import annotations

import math
import os
import socket
import time
from contextlib import contextmanager, suppress
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
# Work that keeps the main thread from answering signals for longer than this hangs. Loading models takes seconds, and
# minutes from a slow share.
LONGEST_WORK_SECONDS: Final = 600.0


def notify(*lines: str) -> None:
    """Send assignments such as ``READY=1``; failing to reach systemd is ignored."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ stands for the zero byte of Linux's abstract socket names.
    target = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto("\n".join(lines).encode(), target)


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
        # When the main thread last gave signs, and until when it may be busy with work that it has to do.
        self._given_at = self._busy_until = -math.inf

    @property
    def pause(self) -> float:
        """How long to wait before the next sign."""
        return LONGEST_PAUSE_SECONDS if self._patience is None else min(LONGEST_PAUSE_SECONDS, self._patience / 3)

    @property
    def _limit(self) -> float:
        return DRAIN_SECONDS if self._patience is None else self._patience

    def are_given(self) -> bool:
        """Whether the program lives: its pipeline moves, and its main thread gives signs, or works within bounds."""
        return self._moves(self._limit) and time.monotonic() < max(self._given_at + self._limit, self._busy_until)

    @contextmanager
    def given_meanwhile(self) -> Iterator[None]:
        """Give signs from a thread as long as this lasts, but not for longer than `LONGEST_WORK_SECONDS`."""
        until = self._busy_until = time.monotonic() + LONGEST_WORK_SECONDS

        def give() -> bool:
            self.give()
            return time.monotonic() < until

        try:
            if self._patience is None:
                yield
            else:
                with _repeated(give, self.pause, "signs of life"):
                    yield
        finally:
            self._given_at, self._busy_until = time.monotonic(), -math.inf

    def give(self, *, ending: bool = False) -> None:
        """Give a sign where one is due; ``ending``: ask for more time to stop."""
        lines = []
        self._given_at = time.monotonic()
        if self._moves(self._limit):
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

    def ask() -> bool:
        notify(f"EXTEND_TIMEOUT_USEC={round(START_SECONDS * 1e6)}")
        return True

    with _repeated(ask, START_SIGN_SECONDS, "longer start"):
        yield


@contextmanager
def _repeated(action: Callable[[], bool], pause: float, name: str) -> Iterator[None]:
    """Repeat an action in a thread as long as this lasts and it returns True, with a pause after each."""
    ended = Event()

    def repeat() -> None:
        while action() and not ended.wait(pause):
            pass

    thread = Thread(target=repeat, name=name)
    with suppress(RuntimeError):  # where no thread can be had, there are no signs
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
