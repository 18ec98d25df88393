"""The thread that takes decided files out of the inbox: they are deleted, or moved to the archive.

It is a thread of its own, so that no slow or broken archive holds up a decision. Every decided crop is handed over to
it, and it also looks through the inbox from time to time: that finds what was decided before a crash or before
`inbox.after` was changed, and what could not be moved the last time. Only the store says what was decided.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError, StoreDamagedError, StoreDoubtError, StoreError
from monitor.files.chunks import chunks
from monitor.files.ignoring import IgnoredNames
from monitor.files.looks import look, may_be_unchanged
from monitor.files.text import from_text, printable, to_text
from monitor.files.walking import crop_files
from monitor.inbox.archive import Archive, Archiver
from monitor.inbox.claims import Claims, was_decided
from monitor.keeping.places import recent_folder
from monitor.keeping.recent import Recent, set_aside
from monitor.store import crops, kept
from monitor.store.database.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.inbox.claims import Tidied
    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

# Files that are looked up in the store at once.
CHUNK: Final = 256
# Decided files beyond this many are left for the next sweep of the inbox.
MAILBOX_LIMIT: Final = 100_000
# The share of the time that sweeps may take.
SWEEP_SHARE: Final = 0.1
# Files that are handed over within this time are tidied together, because each time takes a new connection.
GATHER_SECONDS: Final = 0.2
# The same kind of trouble is logged again only after this long.
LOG_AGAIN_SECONDS: Final = 3600.0
# While files cannot be moved, the pause between sweeps doubles up to this.
LONGEST_PAUSE_SECONDS: Final = 300.0


class Tidier:
    """Tidies the decided files of the inbox, in a thread of its own."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        count: Callable[[Tidied], None],
        stopped: Callable[[bool], None] = lambda _stopped: None,
    ) -> None:
        """``count`` is called with the outcome of each file.

        ``stopped`` is called with whether nothing is tidied because the database may not be what it was.
        """
        after = configuration.settings.inbox.after
        self.enabled = after != "keep"
        self.archive: Archive | None = None
        if after == "archive":
            assert configuration.archive is not None  # the configuration is refused without it
            self.archive = Archive(configuration.archive, configuration.time_zone)
        self._archiver = Archiver(self.archive, database) if self.archive else None
        self._inbox = configuration.inbox
        self._ignored = IgnoredNames(configuration.settings.crops.ignore)
        most = set_aside(configuration)
        self._recent = Recent(recent_folder(configuration), database, most) if most else None
        self._claims = Claims(
            *(configuration.inbox, database, self._archiver, self._prove, self._ignored, self._recent)
        )
        self._proof = Proof(database)
        self._stopped = stopped
        self._database = database
        self._count = count
        self._pause = configuration.settings.watch.scan_seconds
        self._mailbox: SimpleQueue[str | None] = SimpleQueue()
        self._ended = False
        self._next_sweep = 0.0
        # While the archive or the store is in trouble, files are left for the next sweep.
        self._trouble = False
        # After any failure the pause before the next sweep doubles: a claim that is given back has another ctime, so
        # that the watcher looks its file up in the store once more.
        self._failed = False
        self._logged: dict[str, float] = {}

    def offer(self, path: str) -> None:
        """Hand over a crop of the inbox whose decision is committed; never waits."""
        if self.enabled and self._mailbox.qsize() < MAILBOX_LIMIT:
            self._mailbox.put(path)

    def stop(self) -> None:
        """End the thread once what was handed over is tidied."""
        self._mailbox.put(None)

    def run(self, _thread: TimedThread | None = None) -> None:
        """Work until `stop`."""
        pause = self._pause
        while not self._ended:
            self._receive(wait=max(0.0, self._next_sweep - time.monotonic()))
            if not self._ended and time.monotonic() >= self._next_sweep:
                self._trouble = self._failed = False
                started = time.monotonic()
                self._sweep()
                took = time.monotonic() - started
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if self._failed else self._pause
                self._next_sweep = time.monotonic() + max(pause, took * (1 / SWEEP_SHARE - 1))

    def _receive(self, *, wait: float = 0.0) -> None:
        """Tidy all that was handed over; with ``wait``, wait this many seconds for the first."""
        try:
            first = self._mailbox.get(timeout=wait) if wait > 0 else self._mailbox.get_nowait()
            if wait > 0 and first is not None:
                time.sleep(GATHER_SECONDS)
            received = [first, *(self._mailbox.get_nowait() for _ in range(self._mailbox.qsize()))]
        except Empty:
            return
        paths = [path for path in received if path is not None]
        self._ended = len(paths) < len(received)
        for chunk in chunks(paths, CHUNK):
            self._tidy(chunk)

    def _sweep(self) -> None:
        """Look through the inbox for what was decided and is still there."""
        try:
            if self._claims.may_be_left:
                self._recover_claims()
            for chunk in chunks(crop_files(self._inbox, lambda _folder, _error: None, self._ignored), CHUNK):
                self._tidy(chunk)
                self._receive()
                if self._trouble or self._ended:
                    return
        except StoreDamagedError:
            raise
        except (MonitorError, OSError) as error:
            self._log(type(error).__name__, f"the inbox is not tidied: {error}")

    def _recover_claims(self) -> None:
        self._claims.may_be_left = False
        try:
            for path in self._claims.left():
                if not self._attempt(path, partial(self._claims.recover, path)):
                    return
        except MonitorError:
            self._claims.may_be_left = True  # a share may be away for a while
            raise

    def _tidy(self, paths: Sequence[str]) -> None:
        """Tidy those of the paths that the store has a decision on, unless there is trouble."""
        if self._trouble:
            return
        looks = {path: look(path) for path in paths}
        try:
            with self._database.read() as connection:
                known = crops.known_crops(connection, [to_text(path) for path in paths])
                # What has yet to be kept as evidence stays; a later sweep finds it.
                due = kept.still_owed(connection, [row.id for found in known.values() for row in found])
            rows = [
                row
                for path in paths
                for row in _unless_due(known.get(to_text(path), ()), due)
                # Its content is compared before it goes.
                if was_decided(row) and may_be_unchanged(looks[path], row)
            ]
            if rows:
                self._prove(rows)
            planned = self._archiver.plan(rows) if self._archiver else rows
        except StoreDamagedError:
            raise
        except StoreError as error:
            self._trouble = self._failed = True
            self._log(type(error).__name__, str(error))
            return
        decided: defaultdict[Path, list[KnownCrop]] = defaultdict(list)
        for row in planned:
            decided[from_text(row.path)].append(row)
        for path, found in decided.items():
            if not self._attempt(path, partial(self._claims.tidy, path, found)):
                return
        self._trim()

    def _trim(self) -> None:
        try:
            if self._recent is not None:
                self._recent.trim()
        except StoreDamagedError:
            raise
        except StoreError as error:
            self._log(type(error).__name__, str(error))

    def _prove(self, rows: Sequence[KnownCrop]) -> None:
        """Raise `StoreDoubtError` where rows might not be in the database after a crash: their files must stay."""
        try:
            self._proof.require({row.id: row.sha256 for row in rows})
        except StoreDoubtError:
            self._stopped(True)
            raise
        self._stopped(False)

    def _attempt(self, path: Path, action: Callable[[], Tidied | None]) -> bool:
        """Do it, count and log the outcome; returns False where the next file would have the same fate."""
        try:
            outcome = action()
        except FileNotFoundError:
            return True  # another program took it
        except StoreDamagedError:
            raise
        except OSError as error:
            # This file or its folder in the inbox is the trouble; others may go.
            reason = str(error.strerror)
            self._fail(reason, f"{printable(path)}: cannot be taken out of the inbox: {reason}")
        except MonitorError as error:
            # The archive or the store is the trouble.
            self._trouble = True
            where = f"moved to {printable(self.archive.folder)}" if self.archive else "deleted"
            self._fail(str(error), f"{printable(path)}: cannot be {where}: {error}")
            return False
        else:
            if outcome is not None:
                self._count(outcome)
        return True

    def _fail(self, kind: str, sentence: str) -> None:
        self._failed = True
        self._claims.may_be_left = True  # it may have been impossible to give a claim back, too
        self._count("failed")
        self._log(kind, sentence)

    def _log(self, kind: str, sentence: str) -> None:
        """Log it, unless the same kind of trouble was logged not long ago."""
        now = time.monotonic()
        if now - self._logged.get(kind, -LOG_AGAIN_SECONDS) >= LOG_AGAIN_SECONDS:
            self._logged[kind] = now
            log.error(
                "%s; decided files stay in the inbox until this is fixed; tried again in about %g s",
                sentence, self._pause,
            )  # fmt: skip


def _unless_due(rows: Sequence[KnownCrop], due: set[int]) -> Sequence[KnownCrop]:
    """The crops of one path; none where one of them is due."""
    return () if any(row.id in due for row in rows) else rows
