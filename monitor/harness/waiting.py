"""Waiting for something that may never happen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Callable

# Longer than anything that is waited for takes on a busy machine.
PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.02


class Patience:
    """Ends a wait during which nothing has happened for a minute."""

    def __init__(self, explain: Callable[[], str]) -> None:
        """``explain`` tells what was going on instead, for the error."""
        self._explain = explain
        self.renew()

    def renew(self) -> None:
        """Something has happened; the minute begins again."""
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def is_over(self) -> bool:
        """Whether nothing has happened for a minute."""
        return time.monotonic() > self._deadline

    def pause(self, seconds: float = PAUSE_SECONDS) -> None:
        """Wait a little; raises `MonitorError` when the minute is over."""
        if self.is_over():
            raise MonitorError(f"nothing has happened for {PATIENCE_SECONDS:g} s; {self._explain()}")
        time.sleep(seconds)


def wait_until(
    condition: Callable[[], bool], explain: Callable[[], str] = lambda: "", *, pause: float = PAUSE_SECONDS
) -> None:
    """Wait for a condition, looking every ``pause`` seconds; raises `MonitorError` after a minute in vain."""
    patience = Patience(explain)
    while not condition():
        patience.pause(pause)
