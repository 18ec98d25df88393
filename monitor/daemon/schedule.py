"""Daily jobs: which slot is due, and that exactly one program runs it.

A slot is a day's time on the plant's clock, as a moment in UTC. Where clocks repeat an hour in autumn, the first one
counts; a time that they skip in spring is taken an hour later. So every day has one slot. Only the newest slot is ever
due: after a week of downtime a job is caught up once. What makes it run once is the row of the slot in the store
(`store.runs`), not the clock of a scheduler.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import MonitorError, StoreError
from monitor.store import runs
from monitor.store.runs import BEFORE_THE_START
from monitor.times import on_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# After a clock was put back by less than this, its slots count as done; by more, and the later time was the wrong one.
CLOCK_PLAY: Final = timedelta(days=7)
# How long a run belongs to the program that claimed it; if that one crashed, another may take it over afterwards.
LEASE: Final = timedelta(minutes=15)


def newest_slot(at: str, time_zone: ZoneInfo, now: datetime) -> datetime:
    """The newest slot at or before ``now``, in UTC; ``at`` is a time of day such as 03:00."""
    hour, minute = map(int, at.split(":"))
    local = now.astimezone(time_zone)
    for days in (0, 1):
        day = local.date() - timedelta(days=days)
        slot = datetime(day.year, day.month, day.day, hour, minute, tzinfo=time_zone).astimezone(UTC)
        if slot <= now:
            return slot
    return slot


class Claimed(NamedTuple):
    """A slot that is this program's to run, with the id of the run."""

    run_id: int
    slot: datetime


class DailySlots:
    """The slots of one job of one program; several programs may have the same job on the same database."""

    def __init__(self, database: Database, name: str, *, at: str, time_zone: ZoneInfo) -> None:
        self.name = name
        self._database = database
        self._at = at
        self._time_zone = time_zone
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def begin(self, now: datetime) -> None:
        """If the job has never run, count the newest slot as done: there was nothing to do before it."""
        with self._database.write() as connection:
            if not runs.ever_ran(connection, self.name):
                slot = newest_slot(self._at, self._time_zone, now)
                runs.skip(connection, self.name, slot, outcome=BEFORE_THE_START, now=now)

    def claim(self, now: datetime) -> Claimed | None:
        """Claim the newest slot; None if it is done or another program is at work on it. Raises `StoreError`."""
        slot = newest_slot(self._at, self._time_zone, now)
        with self._database.read() as connection:
            if runs.is_finished(connection, self.name, slot):
                return None
            newest = runs.newest_slot(connection, self.name)
        if newest is not None and slot < newest <= now + CLOCK_PLAY:
            return None  # the clock was put back, or the time of day was changed
        return self.keep(slot, now)

    def keep(self, slot: datetime, now: datetime) -> Claimed | None:
        """Claim a slot, or keep the one that was claimed for another while; None where it is another program's."""
        with self._database.write() as connection:
            run_id = runs.claim(connection, self.name, slot, owner=self._owner, now=now, lease=LEASE)
        return None if run_id is None else Claimed(run_id, slot)

    def finish(self, claimed: Claimed, outcome: str, now: datetime) -> None:
        """Say that a slot is done."""
        with self._database.write() as connection:
            runs.finish(connection, claimed.run_id, outcome=outcome, now=now)
        log.info("the %s run of %s: %s", self.name, self.due(claimed.slot), outcome)

    def wait(self, error: StoreError, now: datetime) -> None:
        """Log that the database refuses, so that the slot stays open."""
        slot = newest_slot(self._at, self._time_zone, now)
        log.warning("the %s run of %s waits: %s; it will be tried again soon", self.name, self.due(slot), error)

    def due(self, slot: datetime) -> str:
        """When a slot is due, on the plant's clock."""
        return on_clock(slot, self._time_zone)


class DailyJob(DailySlots):
    """A job that is done as soon as its slot is claimed."""

    def __init__(
        self, database: Database, name: str, *, at: str, time_zone: ZoneInfo, run: Callable[[int, datetime], str]
    ) -> None:
        """``run`` gets the run's id and the time, and returns the outcome in a few words."""
        super().__init__(database, name, at=at, time_zone=time_zone)
        self._run = run

    def tick(self, now: datetime) -> str | None:
        """Run the newest slot unless a program already has; returns the outcome, None where there was nothing to do.

        Where the database refuses, the slot stays open and the next tick tries again. Any other failure closes it.
        """
        try:
            claimed = self.claim(now)
            if claimed is None:
                return None
            outcome = self._outcome(claimed.run_id, now)
            self.finish(claimed, outcome, now)
        except StoreError as error:
            self.wait(error, now)
            return None
        return outcome

    def _outcome(self, run_id: int, now: datetime) -> str:
        try:
            return self._run(run_id, now)
        except StoreError:
            raise
        except MonitorError as error:
            log.error("the %s run failed: %s", self.name, error)  # noqa: TRY400 - a sentence for a person
            return f"failed: {error}"
        except Exception:
            log.exception("the %s run failed by a defect", self.name)
            return "failed by a defect; the log has the traceback"
