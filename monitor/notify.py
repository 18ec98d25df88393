"""Tells systemd how the service is doing (`sd_notify`); silent where no systemd asked for it."""

from __future__ import annotations

import os
import socket


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
