"""A daemon for a while: its environment and its port."""

from __future__ import annotations

import os
import socket


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """The environment of a program that is started beside this one."""
    # On networks this small a second thread gains little, and where another program has the other core, the two
    # wait for each other and take several times as long.
    return {"OMP_NUM_THREADS": "1", **os.environ}
