"""How many files of the inbox wait for a decision, and for how long the oldest of them has waited.

The watcher knows it as long as it scans the inbox and there is space downstream. Otherwise the inbox may hold more
files than the watcher has reached; it is then walked now and then, and its files are looked up in the store. While that
has not succeeded either, what waits is not known, which is not the same as that nothing waits.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError
from monitor.files.chunks import chunks
from monitor.files.ignoring import NOTHING
from monitor.files.looks import look
from monitor.files.walking import crop_files
from monitor.inbox.ledger import Waiting
from monitor.inbox.watcher import SCAN_CHUNK
from monitor.scoring import lookup

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.watcher import Watcher
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# The share of the time that walking may take.
WALK_SHARE: Final = 0.1


class Backlog:
    """The files of an inbox that wait; the metrics ask in any thread, a job in the background keeps it up to date."""

    def __init__(self, watcher: Watcher, database: Database) -> None:
        self._watcher = watcher
        self._database = database
        self._walked: Waiting | None = None
        self._next_walk = 0.0

    def count(self) -> float:
        """How many files wait; NaN where that is not known."""
        waiting = self._now()
        return math.nan if waiting is None else waiting.crops

    def oldest_seconds(self) -> float:
        """Seconds since the last change of the file that has waited longest; 0 where none waits, NaN if not known.

        Also 0 where that change lies in the future, as after a clock was put back.
        """
        waiting = self._now()
        if waiting is None:
            return math.nan
        return 0.0 if waiting.oldest_ns is None else max(0.0, time.time() - waiting.oldest_ns / 1e9)

    def look(self) -> None:
        """Walk the inbox, if the watcher does not know what waits and walking would not take too much of the time."""
        if not self._is_unseen():
            self._walked = None
            return
        started = time.monotonic()
        if started < self._next_walk:
            return
        try:
            self._walked = walk(self._watcher.folder, self._database, self._watcher.ignored)
        except MonitorError as error:
            self._walked = None
            log.warning("what waits in the inbox is not counted: %s; tried again soon", error)
        ended = time.monotonic()
        self._next_walk = ended + (ended - started) * (1 / WALK_SHARE - 1)

    def _is_unseen(self) -> bool:
        """Whether there may be files in the inbox that the watcher has not come to."""
        return self._watcher.is_held_up() or not self._watcher.has_scanned

    def _now(self) -> Waiting | None:
        """What waits; None while nothing has looked into the inbox."""
        found = self._watcher.waiting()
        walked = self._walked
        if walked is None or not self._is_unseen():
            return found if found.crops or self._watcher.has_scanned else None
        changes = [one for one in (found.oldest_ns, walked.oldest_ns) if one is not None]
        return Waiting(max(found.crops, walked.crops), min(changes, default=None))


def walk(folder: Path, database: Database, ignored: IgnoredNames = NOTHING) -> Waiting:
    """Count the crops below a folder that the store does not know; raises `MonitorError`."""
    count = 0
    oldest_ns: int | None = None
    for chunk in chunks(crop_files(folder, lambda _folder, _error: None, ignored), SCAN_CHUNK):
        changes = [looks.ctime_ns for path in lookup.undecided(database, chunk) if (looks := look(path)) is not None]
        count += len(changes)
        oldest_ns = min([*changes, *([] if oldest_ns is None else [oldest_ns])], default=None)
    return Waiting(count, oldest_ns)
