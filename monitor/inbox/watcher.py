"""File events and a reconciling scan -> crops that are new, in the inbox or in the labelled folder.

An event is only a nudge, the folder is the truth: the kernel drops events in bursts, so a scan every few seconds
finds what no event told. Whether a file is complete is told by decoding it; one that is not yet is offered again
with growing pauses, until it has not changed for the time after which it is given up.

One thread runs the `Watcher` and owns all its state; everybody else puts messages into its mailbox.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import OrderedDict
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent
from watchdog.observers import Observer

from monitor.errors import MonitorError
from monitor.files.chunks import chunks
from monitor.files.folders import make_folder
from monitor.files.looks import look
from monitor.files.text import printable
from monitor.files.walking import crop_files
from monitor.inbox.ledger import Pending, Waiting
from monitor.inbox.messages import Candidate, Done, Incomplete, Stop, Touched
from monitor.inbox.nudges import Nudge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

    from monitor.configuration.settings import Watch
    from monitor.files.looks import Looks
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

SCAN_CHUNK: Final = 512
"""Paths that are looked up in the store at once."""
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0
RECENT_LIMIT: Final = 8192
SCAN_SHARE: Final = 0.1
"""The share of the time that scanning may take; a huge folder is scanned less often."""
HELD_UP_SECONDS: Final = 10.0
"""Where the stages after the watcher hold it up for longer, more files may wait than it has come by."""
QUICK_SECONDS: Final = 0.01
"""Handing on takes less than this where there is space."""


class Watcher:
    """Finds new crops below a folder and delivers each once at a time."""

    def __init__(
        self,
        folder: Path,
        settings: Watch,
        *,
        unknown: Callable[[Sequence[str]], Sequence[str]],
        deliver: Callable[[Candidate], bool],
        folders: Sequence[Path] = (),
        scanned: Callable[[bool], None] = lambda _whole: None,
    ) -> None:
        """Watch ``folder``, which is made where it is missing, with ``folders`` in it.

        ``unknown`` returns those paths that the store does not know; ``deliver`` hands a candidate on, waiting
        while the queue is full, and returns False once the service is stopping. ``scanned`` is told of the end of
        each scan, and whether it saw the whole folder.
        """
        self.folder = folder
        self._folders = (folder, *folders)
        self.mailbox: SimpleQueue[Touched | Done | Incomplete | Stop] = SimpleQueue()
        self._settings = settings
        self._unknown = unknown
        self._deliver = deliver
        self._scanned = scanned
        self._stage: TimedThread | None = None
        self._pending: dict[str, int] = {}
        self._held_since: float | None = None
        self._was_there = False
        self._in_flight: set[str] = set()
        self._touched_in_flight: set[str] = set()
        self._recent: OrderedDict[str, Looks | None] = OrderedDict()
        self._waiting: dict[str, Waiting] = {}
        self._due: list[tuple[float, str]] = []
        self._unreadable: set[Path] = set()
        self._told_unreadable: set[Path] = set()
        self._handing_on = 0.0
        self._told_of_no_events = False
        self._next_scan = 0.0
        self._stopping = False
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None

    def run(self, stage: TimedThread) -> None:
        """Work until a `Stop` message arrives; runs in a thread of its own, which ``stage`` is told about."""
        self._stage = stage
        stage.busy()
        try:
            while not self._stopping:
                if time.monotonic() >= self._next_scan:
                    self._scan()
                self._offer_due()
                self._receive(wait=max(0.0, self._next_deadline() - time.monotonic()))
        finally:
            self._unobserve()

    def pending(self) -> Pending:
        """What is on its way or waits to be complete; may be asked from any thread."""
        # A dictionary that another thread changes can be copied, which is one step of the interpreter.
        changes = list(self._pending.values())
        held_since = self._held_since
        held_up = held_since is not None and time.monotonic() - held_since > HELD_UP_SECONDS
        return Pending(len(changes), min(changes, default=None), held_up)

    def _next_deadline(self) -> float:
        return min(self._next_scan, self._due[0][0]) if self._due else self._next_scan

    def _receive(self, *, wait: float = 0.0) -> None:
        """Handle all messages that are there; with ``wait``, wait so many seconds for the first."""
        try:
            self._handle(self._wait_for_message(wait) if wait > 0 else self.mailbox.get_nowait())
            for _ in range(self.mailbox.qsize()):
                self._handle(self.mailbox.get_nowait())
        except Empty:
            return

    def _wait_for_message(self, wait: float) -> Touched | Done | Incomplete | Stop:
        assert self._stage is not None
        if self.mailbox.empty():
            self._held_since = None
        self._stage.idle()
        try:
            return self.mailbox.get(timeout=wait)
        finally:
            self._stage.busy()

    def _handle(self, message: Touched | Done | Incomplete | Stop) -> None:
        assert self._stage is not None
        self._stage.busy()
        match message:
            case Touched(path):
                self._handle_touched(path)
            case Done(path, seen):
                self._handle_done(path, seen)
            case Incomplete(path, seen):
                self._handle_incomplete(path, seen)
            case Stop():
                self._stopping = True

    def _handle_touched(self, path: str) -> None:
        if path in self._in_flight:
            self._touched_in_flight.add(path)
        elif not self._is_finished(path):
            self._offer(path)

    def _handle_done(self, path: str, seen: Looks | None) -> None:
        self._in_flight.discard(path)
        self._waiting.pop(path, None)
        self._pending.pop(path, None)
        self._recent[path] = seen
        self._recent.move_to_end(path)
        if len(self._recent) > RECENT_LIMIT:
            self._recent.popitem(last=False)
        if path in self._touched_in_flight:
            self._touched_in_flight.discard(path)
            self._handle_touched(path)

    def _handle_incomplete(self, path: str, seen: Looks | None) -> None:
        self._in_flight.discard(path)
        now = time.monotonic()
        entry = self._waiting.get(path)
        if entry is None:
            entry = self._waiting[path] = Waiting(seen, now, FIRST_PAUSE_SECONDS, now)
        else:
            entry.pause = min(2 * entry.pause, LONGEST_PAUSE_SECONDS)
            if entry.looks != seen:
                entry.looks, entry.since = seen, now
        if seen is not None:
            self._pending[path] = seen.ctime_ns
        entry.due = self._next_try(entry, now)
        if path in self._touched_in_flight:
            self._touched_in_flight.discard(path)
            entry.due = now
        heapq.heappush(self._due, (entry.due, path))

    def _next_try(self, entry: Waiting, now: float) -> float:
        """After the pause, but not later than the file counts as settled, or as given up."""
        ends = (entry.since + self._settings.settle_seconds, entry.since + self._settings.give_up_seconds)
        return min([now + entry.pause, *(end for end in ends if end > now)])

    def _offer_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now and not self._stopping:
            due, path = heapq.heappop(self._due)
            entry = self._waiting.get(path)
            # An event may have offered the path earlier, and its next try is another entry of the heap.
            if entry is not None and entry.due == due and path not in self._in_flight:
                self._offer(path)

    def _offer(self, path: str) -> None:
        if self._stopping:
            return
        assert self._stage is not None
        self._in_flight.add(path)
        looks = look(path)
        self._pending[path] = time.time_ns() if looks is None else looks.ctime_ns
        candidate = self._candidate(path, looks)
        offered_at = time.monotonic()
        was_held = self._held_since is not None
        if not was_held:
            self._held_since = offered_at
        self._stage.idle()  # waiting for space in the queue is no hanging
        if not self._deliver(candidate):
            self._stopping = True
        self._stage.busy()
        handing_on = time.monotonic() - offered_at
        self._handing_on += handing_on
        if not was_held and handing_on < QUICK_SECONDS:
            self._held_since = None

    def _candidate(self, path: str, looks: Looks | None) -> Candidate:
        entry = self._waiting.get(path)
        if entry is None:
            return Candidate(path)
        now = time.monotonic()
        if looks != entry.looks:
            entry.looks, entry.since = looks, now
        final = now - entry.since >= self._settings.give_up_seconds
        settled = final or now - entry.since >= self._settings.settle_seconds
        return Candidate(path, entry.looks, settled, final)

    def _scan(self) -> None:
        assert self._stage is not None
        started = time.monotonic()
        self._handing_on = 0.0
        self._told_unreadable, self._unreadable = self._unreadable, set()
        whole = False
        try:
            whole = not self._has_vanished()
            for folder in self._folders:
                make_folder(folder)
            self._was_there = True
            self._observe()
            for chunk in chunks(crop_files(self.folder, self._warn_unreadable), SCAN_CHUNK):
                self._stage.busy()  # a folder may be as large as it likes, as long as the work goes on
                fresh = [path for path in chunk if not self._is_handled(path)]
                for path in self._unknown(fresh):
                    self._offer(path)
                # Live events have waited long enough behind a large backlog's chunk.
                self._receive()
                if self._stopping:
                    return
            whole = whole and not self._unreadable
        except (MonitorError, OSError) as error:
            whole = False
            log.error(  # noqa: TRY400
                "%s was not scanned: %s; the next scan is in %g s",
                printable(self.folder), error, self._settings.scan_seconds,
            )  # fmt: skip
        self._scanned(whole)
        # Waiting for the stages after this one is no work: it would put the next scan off by hours.
        took = time.monotonic() - started - self._handing_on
        self._next_scan = time.monotonic() + max(self._settings.scan_seconds, took * (1 / SCAN_SHARE - 1))

    def _has_vanished(self) -> bool:
        """Whether the folder is gone that was there before."""
        vanished = self._was_there and not self.folder.exists()
        if vanished:
            log.error(
                "%s: the folder has vanished and is made anew; put the one that the camera writes to, or the mount of "
                "its share, back in its place",
                printable(self.folder),
            )
        return vanished

    def _is_handled(self, path: str) -> bool:
        """Whether a path is on its way, or was finished and has not changed since."""
        if path in self._in_flight or path in self._waiting:
            return True
        return self._is_finished(path)

    def _is_finished(self, path: str) -> bool:
        """Whether a path was finished and has not changed since, or is gone: a decided file may be moved away."""
        return path in self._recent and look(path) in (self._recent[path], None)

    def _observe(self) -> None:
        """Ask the kernel for events; again when the folder was replaced by another one, or the last try failed."""
        status = self.folder.stat()
        if self._watched == (status.st_dev, status.st_ino) and self._is_observing():
            return
        self._unobserve()
        observer = Observer()
        try:
            observer.schedule(
                Nudge(self.folder, self.mailbox),
                str(self.folder),
                recursive=True,
                event_filter=[FileClosedEvent, FileMovedEvent, FileCreatedEvent],
            )
            observer.start()
        except OSError as error:
            log.log(
                logging.DEBUG if self._told_of_no_events else logging.WARNING,
                "%s: the kernel gives no file events (%s); crops are found by the scan alone, "
                "up to %g s later; raise fs.inotify.max_user_watches or max_user_instances",
                printable(self.folder),
                error,
                self._settings.scan_seconds,
            )
            self._told_of_no_events = True
            return
        self._told_of_no_events = False
        self._observer = observer
        self._watched = (status.st_dev, status.st_ino)

    def _is_observing(self) -> bool:
        # A watched folder that is removed ends its emitter, even where the next folder has the same number.
        observer = self._observer
        return observer is not None and all(emitter.is_alive() for emitter in observer.emitters)

    def _unobserve(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _warn_unreadable(self, folder: Path, error: OSError) -> None:
        if folder == self.folder / "lost+found":
            return  # the file system's own, where the inbox is a whole one, and root's alone
        self._unreadable.add(folder)
        if folder in self._told_unreadable:
            return
        log.error(
            "%s: the folder cannot be read: %s; its crops are not scored until its permissions are mended",
            printable(folder),
            error.strerror,
        )
