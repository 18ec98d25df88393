"""Follows the cast file in a thread of its own: what it says is in the store a second later."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Final

from monitor.alarms import casting
from monitor.alarms.cast_file import read_cast_file
from monitor.errors import DataError, MonitorError
from monitor.formulas.casts import doubt
from monitor.store import casts
from monitor.threads import RepeatingThread
from monitor.times import on_clock

if TYPE_CHECKING:
    from monitor.alarms.cast_file import CastFile
    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
# A file that cannot be used for less than this is being written.
PATIENCE: Final = timedelta(seconds=5)
# After so long without a look at the file, what it said is not believed: it may lie on a share that does not answer.
LONGEST_SILENCE_SECONDS: Final = 15.0
STOP_SECONDS: Final = 2.0
# How long the start waits for the first look.
FIRST_LOOK_SECONDS: Final = 2.0


class CastFollower:
    """Follows the file of `[alarms.cast]`; without one it does nothing."""

    def __init__(self, configuration: Configuration, database: Database) -> None:
        self._configuration = configuration
        self._database = database
        self._maximum_age = timedelta(seconds=configuration.settings.alarms.cast.maximum_age_seconds)
        self._looked_at: float | None = None
        self._good_at: datetime | None = None
        self._wrong_since: datetime | None = None
        self._waits = self._begun = False
        self._has_looked = Event()
        follows = configuration.settings.alarms.cast.file is not None
        self._thread = RepeatingThread("cast", self._try, LOOK_SECONDS) if follows else None

    def start(self) -> None:
        """Begin, once the workers are forked; returns after the first look, or where that takes too long."""
        if self._thread is not None:
            self._thread.start()
            self._has_looked.wait(FIRST_LOOK_SECONDS)

    def stop(self) -> None:
        """End."""
        if self._thread is not None:
            self._thread.stop(STOP_SECONDS)

    def is_up_to_date(self) -> bool:
        """Whether the store has what the file said some seconds ago."""
        return self._looked_at is not None and time.monotonic() - self._looked_at < LONGEST_SILENCE_SECONDS

    def _try(self) -> None:
        begun = time.monotonic()
        try:
            self.look(datetime.now(UTC))
            self._looked_at = begun
            self._waits = False
        except MonitorError as error:
            if not self._waits:
                log.warning("the cast file is not followed for now: %s; it will be tried again soon", error)
            self._waits = True
        except Exception:
            log.exception("the cast file could not be followed, by a defect; the daemon goes on and tries again")
        self._has_looked.set()

    def look(self, now: datetime) -> None:
        """Take over what the file says, or note that it cannot be used. Raises `StoreError`."""
        if not self._begun:
            self._take_up()
        path = self._configuration.cast_file
        assert path is not None
        try:
            found = read_cast_file(path)
        except DataError as error:
            self._wrong_since = self._wrong_since or now
            if now - self._wrong_since >= PATIENCE:
                self._distrust(str(error), now, self._good_at)
            return
        age = now - found.written_at
        if abs(age) > self._maximum_age:
            written = on_clock(found.written_at, self._configuration.time_zone)
            self._distrust(
                f"{path}: was written at {written}, which is further from now than alarms.cast.maximum_age_seconds; "
                "have it written again, also if nothing has changed, and check the clocks",
                now, None,
            )  # fmt: skip
            return
        self._take(found, now)

    def _take_up(self) -> None:
        """After a start, what the file said last is as old as the store says."""
        with self._database.read() as connection:
            said = casts.newest(connection)
        if said is not None and said.source == "file" and said.problem is None:
            self._good_at = said.at
        self._begun = True

    def _take(self, found: CastFile, now: datetime) -> None:
        with self._database.read() as connection:
            said = casts.newest(connection)
        # Nothing is written while nothing changes.
        if said is None or not _same(said, found):
            with self._database.write() as connection:
                casting.follow(connection, found, now)
            log.info("cast %s, phase %s", found.number or "none", found.phase)
        self._good_at, self._wrong_since = now, None

    def _distrust(self, problem: str, now: datetime, good_at: datetime | None) -> None:
        what = doubt(problem, now, good_at=good_at, maximum_age=self._maximum_age)
        with self._database.read() as connection:
            if not casting.distrusts(connection, what):
                return
        with self._database.write() as connection:
            casting.distrust(connection, what, now)
        last = "what it said last holds, but for idle" if what.keeps_last else "no cast is known"
        log.warning("%s; %s", problem, last)


def _same(said: casts.Said, found: CastFile) -> bool:
    now = said.number, said.phase, said.source, said.problem
    return now == (found.number, found.phase, "file", None) and found.alloy in (None, said.alloy)
