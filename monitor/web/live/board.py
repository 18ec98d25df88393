"""What the newest crops of each hole are, kept in memory: of a store of any size only what is new is read."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from monitor.store.newest import NewestCrop, newest_id, newest_of_holes, seen_before
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

# Holes whose last crop is older than this are shown only where they are expected.
SHOWN: Final = timedelta(hours=24)
# How many crops of a hole are looked at.
MOST_EACH: Final = 3
# How many crops are read at once where much has come, or while it is looked back: about 20 ms.
AT_ONCE: Final = 10_000
# So many are read again, because a database server may commit two transactions in another order than their ids'.
AGAIN: Final = 300
# More holes than any table has: file names may contain anything.
MOST_HOLES: Final = 5000

# A camera and a number of a hole.
Place = tuple[str, int]


class Board:
    """The newest crops of each hole. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._crops: defaultdict[Place, dict[int, NewestCrop]] = defaultdict(dict)
        self._until = 0
        # Down to which id it was looked back; None once that was far enough.
        self._back: int | None = None

    @property
    def until(self) -> int:
        """The highest id that was read."""
        return self._until

    def refresh(self, connection: Connection, now: datetime) -> None:
        """Read what is new, and some of what is old where it was not looked back far enough yet."""
        with self._lock:
            newest = newest_id(connection)
            if newest < self._until:
                # Another database, such as one that was restored.
                self._crops.clear()
                self._until = 0
            if newest - self._until > AT_ONCE:
                self._back = newest - AT_ONCE
                self._take(connection, self._back, newest)
            elif newest > self._until:
                self._take(connection, self._until - AGAIN, newest)
            elif self._back is not None:
                self._look_back(connection, now)
            self._until = newest
            self._forget()

    def _look_back(self, connection: Connection, now: datetime) -> None:
        assert self._back is not None
        seen = seen_before(connection, self._back)
        if seen is None or seen < now - SHOWN:
            self._back = None
            return
        self._take(connection, self._back - AT_ONCE, self._back)
        self._back -= AT_ONCE

    def _take(self, connection: Connection, after: int, until: int) -> None:
        for crop in newest_of_holes(connection, after, until, MOST_EACH):
            of_hole = self._crops[crop.camera or UNKNOWN, crop.hole]
            of_hole[crop.id] = crop
            while len(of_hole) > MOST_EACH:
                del of_hole[min(of_hole)]

    def _forget(self) -> None:
        if len(self._crops) > MOST_HOLES:
            by_age = sorted(self._crops, key=lambda place: max(self._crops[place]))
            for place in by_age[: len(by_age) - MOST_HOLES]:
                del self._crops[place]

    def newest(self, now: datetime) -> dict[Place, list[NewestCrop]]:
        """The newest crops of each hole that gave any lately, the newest first."""
        with self._lock:
            found = {place: sorted(held.values(), reverse=True) for place, held in self._crops.items()}
        return {place: crops for place, crops in found.items() if crops[0].seen_at >= now - SHOWN}
