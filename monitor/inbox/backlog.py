"""How many files of the inbox wait for a decision, and for how long the oldest of them has waited.

The watcher knows, as long as the stages after it have space. While they have none, more files lie in the inbox than it
has come by, and then the folder is walked now and then and held against the store.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import MonitorError
from monitor.files.chunks import chunks
from monitor.files.looks import look
from monitor.files.walking import crop_files
from monitor.inbox.watcher import SCAN_CHUNK
from monitor.scoring import lookup

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.inbox.watcher import Watcher
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

WALK_SHARE: Final = 0.1
"""The share of the time that walking may take."""


class Waiting(NamedTuple):
    """How many files wait, and the earliest time of a last change among them, in ns; None where none waits."""

    crops: int
    oldest_ns: int | None


class Backlog:
    """What of an inbox waits; asked by the metrics in any thread, and kept up by a job in the background."""

    def __init__(self, watcher: Watcher, database: Database) -> None:
        self._watcher = watcher
        self._database = database
        self._walked: Waiting | None = None
        self._next_walk = 0.0

    def count(self) -> int:
        """How many files wait."""
        return self._now().crops

    def oldest_seconds(self) -> float:
        """Seconds since the last change of the one that waits longest; 0 where none does, or it lies ahead."""
        oldest_ns = self._now().oldest_ns
        return 0.0 if oldest_ns is None else max(0.0, time.time() - oldest_ns / 1e9)

    def look(self) -> None:
        """Walk the inbox, if the watcher is held up and walking would not take too much of the time."""
        if not self._watcher.pending().held_up:
            self._walked = None
            return
        started = time.monotonic()
        if started < self._next_walk:
            return
        try:
            self._walked = walk(self._watcher.folder, self._database)
        except MonitorError as error:
            log.warning("what waits in the inbox is not counted: %s; tried again soon", error)
        ended = time.monotonic()
        self._next_walk = ended + (ended - started) * (1 / WALK_SHARE - 1)

    def _now(self) -> Waiting:
        found, oldest_ns, held_up = self._watcher.pending()
        walked = self._walked
        if not held_up or walked is None:
            return Waiting(found, oldest_ns)
        changes = [one for one in (oldest_ns, walked.oldest_ns) if one is not None]
        return Waiting(max(found, walked.crops), min(changes, default=None))


def walk(folder: Path, database: Database) -> Waiting:
    """Count the crops below a folder that the store does not know; raises `MonitorError`."""
    count = 0
    oldest_ns: int | None = None
    paths = crop_files(folder, lambda _folder, _error: None)
    for chunk in chunks(paths, SCAN_CHUNK):
        changes = [looks.ctime_ns for path in lookup.undecided(database, chunk) if (looks := look(path)) is not None]
        count += len(changes)
        oldest_ns = min([*changes, *([] if oldest_ns is None else [oldest_ns])], default=None)
    return Waiting(count, oldest_ns)
