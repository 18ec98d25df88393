"""The daemon as a process of its own: started, waited for and stopped."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from monitor.harness.children import Running
from monitor.harness.waiting import PAUSE_SECONDS, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Daemon(Running):
    """One ``monitor run``. As a context manager it has ended at the end of the block, whatever happens."""

    def __init__(
        self,
        messages: Path,
        *,
        configuration: Path | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        watch_memory: bool = False,
    ) -> None:
        """Start it with this configuration file, or the one that it finds in ``folder``; for the rest see `Running`."""
        named = [] if configuration is None else ["--config", str(configuration)]
        super().__init__(
            ["-m", "monitor", *named, "run"],
            messages,
            folder=folder,
            environment=environment,
            watch_memory=watch_memory,
        )
        self.patience = Patience(lambda: f"monitor run said:\n{self.text()}")

    def pause(self, seconds: float = PAUSE_SECONDS) -> None:
        """Wait a little; raises `MonitorError` when it has ended, or when ``patience`` is over."""
        self.require_running()
        self.patience.pause(seconds)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition while it runs."""
        self.patience.renew()
        while not condition():
            self.pause()

    def until_ready(self) -> None:
        """Wait until it takes crops."""
        self.until(lambda: " watching " in self.text())


def free_port() -> int:
    """A port of this machine that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """The environment of a program that is started beside this one."""
    # On networks this small a second thread gains little, and where another program has the other core, the two
    # wait for each other and take several times as long.
    return {"OMP_NUM_THREADS": "1", **os.environ}
