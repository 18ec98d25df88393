"""Finds new crops in a folder by the kernel's events and by scans.

An event is only a nudge, the folder is the truth: the kernel drops events in bursts, so a scan every few seconds finds
what no event told. Whether a file is complete is found out by decoding it; one that is not is offered again with
growing pauses, until it has not changed for so long that it is given up.

One thread runs the `Watcher` and owns all its state; all others put messages into its mailbox.
"""

from __future__ import annotations

import errno
import logging
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

from monitor.errors import MonitorError, StoreDamagedError
from monitor.files.chunks import chunks
from monitor.files.folders import make_folder
from monitor.files.ignoring import NOTHING
from monitor.files.text import printable
from monitor.files.walking import TOO_LONG, crop_files
from monitor.inbox.handover import Handover
from monitor.inbox.ledger import Ledger
from monitor.inbox.messages import Candidate, Done, Incomplete, Stop, Touched
from monitor.inbox.nudges import Nudges
from monitor.inbox.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.configuration.settings import Watch
    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.ledger import Waiting
    from monitor.inbox.messages import Mailbox, Message
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

# Paths that are looked up in the store at once.
SCAN_CHUNK: Final = 512
# What a scan finds is put in order in parts of so many paths, or of what is found in so many seconds: more would take
# more memory, or keep what events tell waiting for too long.
ORDERED: Final = 100_000
GATHERING_SECONDS: Final = 5.0
# So much of a backlog goes before what events tell: mostly, a backlog is smaller, and then all is decided in its order.
BEFORE_EVENTS: Final = 20_000
# The share of the time that scanning may take; a huge folder is scanned less often.
SCAN_SHARE: Final = 0.1


class Unknown(Protocol):
    """Tells which paths the store does not know."""

    def __call__(self, paths: Sequence[str], *, again: bool, alive: Callable[[], None]) -> Sequence[str]:
        """``again``: also those whose failure may be over. ``alive`` is called before anything that may take long."""


class Watcher:
    """Finds new crops below a folder and delivers each once at a time."""

    def __init__(
        self,
        folder: Path,
        settings: Watch,
        *,
        unknown: Unknown,
        deliver: Callable[[Candidate], bool],
        folders: Sequence[Path] = (),
        scanned: Callable[[bool], None] = lambda _whole: None,
        ignored: IgnoredNames = NOTHING,
        order: Callable[[str], float] = lambda _path: 0.0,
    ) -> None:
        """Watch ``folder``; it and the ``folders`` in it are made where they are missing.

        ``deliver`` hands a candidate on, waiting while the queue is full, and returns False once the service is
        stopping. ``scanned`` is called at the end of each scan with whether it saw the whole folder. ``ignored`` names
        are left alone. ``order``: of files that one scan finds, those with the lowest value are delivered first.
        """
        self.folder = folder
        self.ignored = ignored
        self.mailbox: Mailbox = SimpleQueue()
        self.nudges = Nudges(folder, self.mailbox, settings.scan_seconds, ignored)
        # Whether the last scan that ended has gone through, though perhaps not into every folder.
        self.has_scanned = False
        self._folders = (folder, *folders)
        self._settings = settings
        self._unknown = unknown
        self._deliver = deliver
        self._scanned = scanned
        self._order = order
        self._ledger = Ledger(settings)
        self._handover = Handover()
        self._retries = Retries()
        self._was_there = False
        self._unreadable: set[Path] = set()
        self._unreadable_before: set[Path] = set()
        self._next_scan = 0.0
        self._stopping = False
        self._thread: TimedThread  # given to `run`, in which alone it is used

    def run(self, thread: TimedThread) -> None:
        """Work until a `Stop` message arrives; ``thread``, in which this runs, is told when it is busy."""
        self._thread = thread
        thread.busy()
        try:
            while not self._stopping:
                if time.monotonic() >= self._next_scan:
                    self._scan()
                self._offer_due()
                self._receive(wait=max(0.0, self._next_deadline() - time.monotonic()))
        finally:
            self.nudges.unobserve()

    def waiting(self) -> Waiting:
        """The files that were found and have no decision yet; may be asked from any thread."""
        return self._ledger.waiting()

    def is_held_up(self) -> bool:
        """Whether files may lie in the folder that were not found yet, as there is no space for them downstream.

        May be asked from any thread.
        """
        return self._handover.is_held_up(time.monotonic())

    def _next_deadline(self) -> float:
        due = self._ledger.next_due()
        return self._next_scan if due is None else min(self._next_scan, due)

    def _receive(self, *, wait: float = 0.0) -> None:
        """Handle all messages that are there; with ``wait``, wait this many seconds for the first."""
        try:
            self._handle(self._wait_for_message(wait) if wait > 0 else self.mailbox.get_nowait())
            for _ in range(self.mailbox.qsize()):
                self._handle(self.mailbox.get_nowait())
        except Empty:
            return

    def _wait_for_message(self, wait: float) -> Message:
        if self.mailbox.empty():
            self._handover.catch_up()
        self._thread.idle()
        try:
            return self.mailbox.get(timeout=wait)
        finally:
            self._thread.busy()

    def _handle(self, message: Message) -> None:
        self._thread.busy()
        match message:
            case Touched(path):
                if self._ledger.touch(path):
                    self._offer(path)
            case Done(path, looks):
                if self._ledger.finish(path, looks):
                    self._offer(path)
            case Incomplete(path, looks):
                self._ledger.postpone(path, looks, time.monotonic())
            case Stop():
                self._stopping = True

    def _offer_due(self) -> None:
        now = time.monotonic()
        while not self._stopping and (path := self._ledger.take_due(now)) is not None:
            self._offer(path)

    def _offer(self, path: str) -> None:
        if self._stopping:
            return
        candidate = self._ledger.offer(path, time.monotonic())
        self._handover.begin(time.monotonic())
        self._thread.idle()  # a thread that waits for space in the queue does not hang
        if not self._deliver(candidate):
            self._stopping = True
        self._thread.busy()
        self._handover.end(time.monotonic())

    def _scan(self) -> None:
        started = time.monotonic()
        waited = self._handover.seconds
        self._unreadable_before, self._unreadable = self._unreadable, set()
        whole = False
        try:
            whole = not self._has_vanished()
            for folder in self._folders:
                make_folder(folder)
            self._was_there = True
            self.nudges.observe()
            self._offer_unknown()
            if self._stopping:
                return
            whole = whole and not self._unreadable
            self._retries.scanned(time.monotonic())
            self.has_scanned = True
        except StoreDamagedError:
            raise  # waiting does not cure it, and where no events come, nothing else would notice
        except (MonitorError, OSError) as error:
            self.has_scanned = whole = False
            log.error(  # noqa: TRY400
                "%s was not scanned: %s; the next scan is in %g s",
                printable(self.folder), error, self._settings.scan_seconds,
            )  # fmt: skip
        self._scanned(whole)
        # Waiting for the stages after this one is no work: it would put the next scan off by hours.
        took = time.monotonic() - started - (self._handover.seconds - waited)
        self._next_scan = time.monotonic() + max(self._settings.scan_seconds, took * (1 / SCAN_SHARE - 1))

    def _offer_unknown(self) -> None:
        """Walk the folder and offer what neither the ledger nor the store knows, in order."""
        found: list[str] = []
        again = False
        until = 0.0
        for chunk in chunks(crop_files(self.folder, self._warn_unreadable, self.ignored), SCAN_CHUNK):
            self._thread.busy()  # a folder may be as large as it likes, as long as the work goes on
            now = time.monotonic()
            again = again or self._retries.due(now)
            if not found:
                until = now + (GATHERING_SECONDS if self._may_find_a_backlog() else 0.0)
            asked = [path for path in chunk if not self._is_left_out(path, again=again)]
            found += self._unknown(asked, again=again, alive=self._thread.busy)
            if not found:
                self._receive()
            elif len(found) >= ORDERED or time.monotonic() >= until:
                self._offer_in_order(found, again=again)
                found = []
            if self._stopping:
                return
        self._offer_in_order(found, again=again)

    def _may_find_a_backlog(self) -> bool:
        """Whether much may have come before; else events tell of most files, and need not wait for the scan's end."""
        return not self.has_scanned or not self.nudges.is_observing()

    def _is_left_out(self, path: str, *, again: bool) -> bool:
        # What was finished may have failed, and only the store knows whether that may be over.
        return self._ledger.is_pending(path) if again else self._ledger.is_known(path)

    def _offer_in_order(self, paths: Sequence[str], *, again: bool) -> None:
        """Offer what a scan has found in the order in which it came: an alarm is about crops that follow each other."""
        for part in chunks(sorted(paths, key=self._order), BEFORE_EVENTS):
            for path in part:
                # An event may have told of it since.
                if not self._is_left_out(path, again=again):
                    self._offer(path)
            # Events have waited long enough behind a part of a large backlog.
            self._receive()
            if self._stopping:
                return

    def _has_vanished(self) -> bool:
        """Whether the folder was there before and is gone."""
        vanished = self._was_there and not self.folder.exists()
        if vanished:
            log.error(
                "%s: the folder has vanished and is created again; put the one that the camera writes to, or the mount "
                "of its share, back in its place",
                printable(self.folder),
            )
        return vanished

    def _warn_unreadable(self, folder: Path, error: OSError) -> None:
        if folder == self.folder / "lost+found":
            return  # made by the file system for root alone, where the inbox is a whole one
        self._unreadable.add(folder)
        if folder in self._unreadable_before:
            return
        if error.errno == errno.ENAMETOOLONG:
            log.error("%s: %s; their crops are not scored until they are moved further up", printable(folder), TOO_LONG)
            return
        log.error(
            "%s: the folder cannot be read: %s; its crops are not scored until its permissions are fixed",
            printable(folder), error.strerror,
        )  # fmt: skip
