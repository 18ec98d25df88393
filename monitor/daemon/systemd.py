"""Tells systemd how the service is doing (`sd_notify`); silent where no systemd asked for it."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 60.0
"""So much longer the end may take after every sign that it goes on."""


def notify(*lines: str) -> None:
    """Send assignments such as ``READY=1``; a systemd that cannot be reached is no reason to stop."""
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
    """How long systemd waits for a sign of life before it restarts this process; none when it does not wait."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    process = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1e6


class SignsOfLife:
    """What the daemon tells systemd again and again: that its pipeline moves, and what it is doing."""

    def __init__(self, moves: Callable[[float], bool], status: Callable[[], str]) -> None:
        """``moves``: whether no stage has been busy with one piece of work for longer than so many seconds."""
        self._moves = moves
        self._status = status
        self._patience = watchdog_seconds()
        self._told = ""
        self._told_at = 0.0

    @property
    def pause(self) -> float:
        """How long to wait before the next sign."""
        return LONGEST_PAUSE_SECONDS if self._patience is None else min(LONGEST_PAUSE_SECONDS, self._patience / 3)

    def give(self, *, ending: bool = False) -> None:
        """Give a sign, if there is one to give; ``ending``: that the end goes on, and may take longer."""
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
