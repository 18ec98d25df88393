"""Measures `monitor run` from end to end: its speed when the inbox is full, and how quickly it decides on one crop.

A decision counts once another connection to the store sees it, so the time includes the commit.
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

from monitor.harness.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.harness.homes import Home

# Crops a second, at an even pace, while the latency is measured.
RATE: Final = 100
# Between two looks at the store, so that a latency is known to about a millisecond, and is never told too short.
LOOK_SECONDS: Final = 0.001


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
    """Start the daemon on an inbox with crops in it; once all are decided, feed it others at an even pace."""
    home.renew()
    inbox = home.configuration.inbox
    waiting = inbox / "waiting"
    waiting.mkdir()
    for crop in saturating:
        shutil.copyfile(crop, waiting / crop.name)
    with Daemon(home.messages, configuration=home.file, watch_memory=True) as daemon:
        # Read-only, so that looking never creates anything.
        with closing(sqlite3.connect(f"{home.store.as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            commits = _saturate(daemon, store, len(saturating))
            latencies = _feed(daemon, store, inbox, fed)
        daemon.stop()
        ended = daemon.ended()
    return Carried(steady(commits), latencies, ended.peak_bytes / 1e6)


def steady(commits: Sequence[tuple[float, int]]) -> float | None:
    """Crops a second while all stages are busy, from (seconds, crops so far) of every commit that was seen.

    Counted from the commit that completed a fifth of the crops to the one that completed four fifths: at the beginning
    and at the end the stages wait for each other. None if a single commit did both.
    """
    crops = commits[-1][1]
    begun, first = next(one for one in commits if one[1] >= crops / 5)
    ended, last = next(one for one in commits if one[1] >= crops * 4 / 5)
    return (last - first) / (ended - begun) if last > first else None


def _saturate(daemon: Daemon, store: sqlite3.Connection, crops: int) -> list[tuple[float, int]]:
    """(seconds, crops so far) of every commit that is seen, until all ``crops`` are decided."""
    commits: list[tuple[float, int]] = []
    daemon.patience.renew()
    while not commits or commits[-1][1] < crops:
        daemon.pause(LOOK_SECONDS)
        # Crops of a fresh store are numbered from 1, and the greatest number takes the database no time to find.
        done = _last(store)
        if done > (commits[-1][1] if commits else 0):
            commits.append((time.perf_counter(), done))
            daemon.patience.renew()
    return commits


def _feed(daemon: Daemon, store: sqlite3.Connection, inbox: Path, crops: Sequence[Path]) -> list[float]:
    """Feed crops at an even pace; returns the milliseconds from the completion of each to its decision."""
    completed: dict[str, float] = {}
    last = _last(store)
    feeder = threading.Thread(target=_write_evenly, args=(inbox, crops, completed), name="feeder", daemon=True)
    feeder.start()
    latencies: list[float] = []
    daemon.patience.renew()
    while len(latencies) < len(crops):
        daemon.pause(LOOK_SECONDS)
        rows = store.execute("select id, path from crops where id > ?", (last,)).fetchall()
        now = time.perf_counter()
        for number, path in rows:
            latencies.append(1e3 * (now - completed[Path(path).name]))
            last = max(last, number)
            daemon.patience.renew()
    feeder.join()
    return latencies


def _last(store: sqlite3.Connection) -> int:
    (number,) = store.execute("select max(id) from crops").fetchone()
    return number or 0


def _write_evenly(inbox: Path, crops: Sequence[Path], completed: dict[str, float]) -> None:
    """Write each crop under a hidden name and rename it, as cameras should; note the moment before it gets its name."""
    begun = time.perf_counter()
    for number, crop in enumerate(crops):
        time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        hidden = inbox / f".{crop.name}"
        hidden.write_bytes(crop.read_bytes())
        completed[crop.name] = time.perf_counter()
        os.rename(hidden, inbox / crop.name)  # noqa: PTH104 - nothing between the clock and the call
