"""A watcher, with a stand-in for the stages behind it."""

from __future__ import annotations

import time
from collections import deque
from threading import Event
from typing import TYPE_CHECKING

from monitor.configuration.settings import Watch
from monitor.errors import ExitCode, StoreBusyError, StoreError
from monitor.files.looks import look
from monitor.harness.waiting import wait_until
from monitor.inbox.messages import Candidate, Done, Incomplete
from monitor.inbox.watcher import Watcher
from monitor.threads import TimedThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


PATIENCE_SECONDS = 20.0


class Pipeline:
    """Stands for the stages after the watcher: keeps what is delivered, and what the store would know."""

    def __init__(self, inbox: Path, **settings: float) -> None:
        self.delivered: deque[Candidate] = deque()
        self.known: set[str] = set()
        self.lookups = 0
        # A backlog is delivered in the order of these numbers, by path.
        self.order: dict[str, float] = {}
        self.again: list[bool] = []
        self.fails = False
        self.error: StoreError = StoreBusyError("locked")
        self.died: list[ExitCode] = []
        self.scans_ended: deque[bool] = deque()
        self.works: set[float | None] = set()
        self.watcher = Watcher(
            inbox,
            Watch(**settings),
            unknown=self._unknown,
            deliver=self._deliver,
            scanned=self.scans_ended.append,
            order=lambda path: self.order.get(path, 0.0),
        )
        self.full = Event()
        self.stuck = Event()
        self.thread = TimedThread("watcher", self.watcher.run, self.died.append)

    def _unknown(self, paths: Sequence[str], *, again: bool, alive: Callable[[], None]) -> Sequence[str]:
        self.lookups += 1
        self.again.append(again)
        self.works.add(self.thread.busy_since)
        while self.stuck.is_set():
            time.sleep(0.005)
        if self.fails:
            raise self.error
        return [path for path in paths if path not in self.known]

    def _deliver(self, candidate: Candidate) -> bool:
        while self.full.is_set():
            time.sleep(0.005)
        self.delivered.append(candidate)
        return True

    def take(self) -> Candidate:
        wait_until(lambda: bool(self.delivered))
        return self.delivered.popleft()

    def finish(self, candidate: Candidate) -> None:
        self.known.add(candidate.path)
        self.watcher.mailbox.put(Done(candidate.path, look(candidate.path)))

    def put_off(self, candidate: Candidate) -> None:
        self.watcher.mailbox.put(Incomplete(candidate.path, look(candidate.path)))

    def without_events(self) -> None:
        """Play a kernel that tells nothing."""
        self.watcher.nudges.observe = lambda: None  # type: ignore[method-assign]
        self.watcher.nudges.unobserve()

    def scans(self, count: int) -> None:
        """Wait until the folder was looked over ``count`` times more (a look-up for each, as it holds few crops)."""
        wanted = self.lookups + count
        wait_until(lambda: self.lookups >= wanted)


# A scan so rare that whatever arrives was told by an event.
EVENTS_ALONE = {"scan_seconds": 3600.0}
