"""`monitor run` from end to end: how much it carries when the inbox is full, and how quickly it decides on one crop.

A decision counts when another connection to the store sees it, so what is measured is the commit and nothing before.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError
from monitor.harness import children

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.harness.children import Running
    from monitor.harness.homes import Home

RATE: Final = 100
"""Crops a second, at an even pace, while the latency is measured."""
LOOK_SECONDS: Final = 0.001
"""Between two looks at the store, so that a latency is known to about a millisecond, and never too short."""
PATIENCE_SECONDS: Final = 60.0
"""So long nothing at all may happen."""


@dataclass(frozen=True)
class Carried:
    """One run of the daemon.

    ``crops_per_second``: see `steady`. ``latencies_ms``: of each crop that was fed at an even pace, from the moment
    before its file got its name to the moment at which its decision was seen.
    """

    crops_per_second: float | None
    latencies_ms: Sequence[float]
    peak_mb: float


def carry(home: Home, saturating: Sequence[Path], fed: Sequence[Path]) -> Carried:
    """Start the daemon on an inbox with crops in it; when all are decided, feed it others at an even pace."""
    home.renew()
    inbox = home.configuration.inbox
    waiting = inbox / "waiting"
    waiting.mkdir()
    for crop in saturating:
        shutil.copyfile(crop, waiting / crop.name)
    with children.running(["-m", "monitor", "--config", str(home.file), "run"], home.messages) as daemon:
        # Read-only, so that a look never makes anything.
        with closing(sqlite3.connect(f"{home.store.as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            commits = _saturate(daemon, store, len(saturating))
            latencies = _feed(daemon, store, inbox, fed)
        ended = daemon.stop()
    return Carried(steady(commits), latencies, ended.peak_bytes / 1e6)


def steady(commits: Sequence[tuple[float, int]]) -> float | None:
    """Crops a second while the daemon is busy all over, from (seconds, crops so far) of every commit that was seen.

    From the commit with which a fifth of the crops were done to the one with which four fifths were: at the beginning
    and at the end the stages wait for each other. None where one commit had both.
    """
    crops = commits[-1][1]
    begun, first = next(one for one in commits if one[1] >= crops / 5)
    ended, last = next(one for one in commits if one[1] >= crops * 4 / 5)
    return (last - first) / (ended - begun) if last > first else None


class _Patience:
    """Ends the wait for a daemon that has ended, or that does nothing any more."""

    def __init__(self, daemon: Running) -> None:
        self._daemon = daemon
        self.renew()

    def renew(self) -> None:
        """Something has happened."""
        self._deadline = time.perf_counter() + PATIENCE_SECONDS

    def pause(self) -> None:
        """Wait a little; raises `MonitorError` when nothing has happened for too long."""
        if time.perf_counter() > self._deadline:
            self._daemon.require_running()
            raise MonitorError(
                f"monitor run: decided on nothing for {PATIENCE_SECONDS:g} s while it was measured; "
                f"it said:\n{self._daemon.text()}"
            )
        time.sleep(LOOK_SECONDS)


def _saturate(daemon: Running, store: sqlite3.Connection, crops: int) -> list[tuple[float, int]]:
    """(seconds, crops so far) of every commit that is seen, until so many crops are decided."""
    commits: list[tuple[float, int]] = []
    patience = _Patience(daemon)
    while not commits or commits[-1][1] < crops:
        patience.pause()
        # Crops of a fresh store are numbered from 1, and the greatest number takes the database no time to find.
        done = _last(store)
        if done > (commits[-1][1] if commits else 0):
            commits.append((time.perf_counter(), done))
            patience.renew()
    return commits


def _feed(daemon: Running, store: sqlite3.Connection, inbox: Path, crops: Sequence[Path]) -> list[float]:
    """Feed crops at an even pace; returns the milliseconds from the completion of each to its decision."""
    completed: dict[str, float] = {}
    last = _last(store)
    feeder = threading.Thread(target=_write_evenly, args=(inbox, crops, completed), name="feeder", daemon=True)
    feeder.start()
    latencies: list[float] = []
    patience = _Patience(daemon)
    while len(latencies) < len(crops):
        patience.pause()
        rows = store.execute("select id, path from crops where id > ?", (last,)).fetchall()
        now = time.perf_counter()
        for number, path in rows:
            latencies.append(1e3 * (now - completed[Path(path).name]))
            last = max(last, number)
            patience.renew()
    feeder.join()
    return latencies


def _last(store: sqlite3.Connection) -> int:
    (number,) = store.execute("select max(id) from crops").fetchone()
    return number or 0


def _write_evenly(inbox: Path, crops: Sequence[Path], completed: dict[str, float]) -> None:
    """Write each crop under a hidden name and rename it, as cameras should; note the moment before it has its name."""
    begun = time.perf_counter()
    for number, crop in enumerate(crops):
        time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        hidden = inbox / f".{crop.name}"
        hidden.write_bytes(crop.read_bytes())
        completed[crop.name] = time.perf_counter()
        os.rename(hidden, inbox / crop.name)  # noqa: PTH104 - nothing between the note and the call
