"""Looks again at files that were moved to the quarantine, and puts those back that were written to after all.

A program may stop in the middle of a file for longer than `watch.give_up_seconds`, and go on in the open file when that
has been moved. What it has written then is no longer what was given up, and is decided like any other file. This is a
thread of its own, because no decision should wait for it; what it did not see is found at the next start.
"""

from __future__ import annotations

import heapq
import logging
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import MonitorError, StoreDamagedError, StoreError
from monitor.files import moving
from monitor.files.folders import UNFINISHED_PREFIX
from monitor.files.looks import Looks, is_gone
from monitor.files.moving import Place, opened_folder
from monitor.files.opening import digest_of_open
from monitor.files.text import from_text, printable
from monitor.files.walking import files_below
from monitor.store import crops

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Self

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

# For so long after it was moved a file is looked at.
WATCH_SECONDS: Final = 3600.0
# The pauses between looks: the first, doubled each time, up to the longest.
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
# What is written to a deleted file has to be copied, so it must not have changed for so long.
QUIET_SECONDS: Final = 5.0
# So many deleted files are kept open at most.
MOST_OPEN: Final = 256
# Moving a file sets its change time and the modification time of its new folder together. A file that has changed later
# than this after its folder was changed after the move.
TOGETHER_NS: Final = 1_000_000_000
FOLDER: Final = re.compile(r"([0-9a-f]{16})(?:-[0-9]+)?")
# What a file is called in the inbox while it is copied to another file system: hidden, with this ending.
ON_THE_WAY: Final = ".monitor-quarantine"
# No file looks like this, so its content is compared at the first look.
UNSEEN: Final = Looks(-1, 0, 0)


class Quarantined(NamedTuple):
    """A file that was moved from ``path`` in the inbox to ``place``; ``looks``: those of then.

    ``sha256``: what its content was then; after a restart the first digits alone, which are the name of its folder.
    ``deleted``: where it was copied to another file system, the open file that was deleted in the inbox.
    """

    path: Path
    place: Path
    sha256: str
    looks: Looks
    deleted: int | None = None


@dataclass(slots=True)
class _Watched:
    """A file that is looked at, until when, and the pause before the next look.

    ``since``: when its looks were new. ``seen``: whether its content was compared since.
    """

    file: Quarantined
    until: float
    since: float
    pause: float = FIRST_PAUSE_SECONDS
    seen: bool = False


class SecondLooks:
    """Looks at the files of a quarantine, in a thread of its own."""

    def __init__(self, inbox: Path, folder: Path, database: Database) -> None:
        self.inbox = inbox
        self.folder = folder
        self._database = database
        self._mailbox: SimpleQueue[Quarantined | None] = SimpleQueue()
        self._numbers = count()
        # A heap of (when to look, a number that keeps the order, the file).
        self._due: list[tuple[float, int, _Watched]] = []
        self._ended = False
        self._under_way: Path | None = None

    @classmethod
    def of(cls, configuration: Configuration, database: Database) -> Self | None:
        """Those of the configured quarantine, if there is one."""
        folder = configuration.quarantine
        return None if folder is None else cls(configuration.inbox, folder, database)

    def watch(self, file: Quarantined) -> None:
        """Look at this file from now on; never waits."""
        self._mailbox.put(file)

    @contextmanager
    def leaving_alone(self, path: Path) -> Iterator[None]:
        """Do not take this file of the inbox for one that a crash left on the way; for one thread alone."""
        self._under_way = path
        try:
            yield
        finally:
            self._under_way = None

    def stop(self) -> None:
        """End the thread once every file was looked at once more."""
        self._mailbox.put(None)

    def run(self, _thread: TimedThread | None = None) -> None:
        """Work until `stop`."""
        self._recover()
        while not self._ended:
            self._receive()
            self._look_at_due(time.monotonic())
        self._look_at_due(float("inf"))
        for _, _, watched in self._due:
            _close(watched.file)

    def _receive(self) -> None:
        """Take what was moved; wait for it until the next look is due."""
        wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
        try:
            received = [self._mailbox.get(timeout=wait)]
            received += [self._mailbox.get_nowait() for _ in range(self._mailbox.qsize())]
        except Empty:
            return
        now = time.monotonic()
        for file in received:
            if file is None:
                self._ended = True
            else:
                self._plan(_Watched(file, now + WATCH_SECONDS, now), now)
        self._let_go()

    def _plan(self, watched: _Watched, now: float) -> None:
        heapq.heappush(self._due, (now + watched.pause, next(self._numbers), watched))

    def _let_go(self) -> None:
        """Close the oldest of the deleted files that are open beyond `MOST_OPEN`."""
        opened = sorted((entry for entry in self._due if entry[2].file.deleted is not None), key=lambda entry: entry[1])
        for entry in opened[: max(0, len(opened) - MOST_OPEN)]:
            self._due.remove(entry)
            heapq.heapify(self._due)
            _close(entry[2].file)

    def _look_at_due(self, until: float) -> None:
        due = []
        while self._due and self._due[0][0] <= until:
            due.append(heapq.heappop(self._due)[2])
        for watched in due:
            try:
                goes_on = self._look(watched)
            except OSError as error:
                log.error(  # noqa: TRY400 - a sentence for a person
                    "%s: cannot be put back into the inbox: %s; tried again",
                    printable(watched.file.place), error.strerror,
                )  # fmt: skip
                goes_on = True
                watched.until = max(watched.until, watched.since + WATCH_SECONDS)
            now = time.monotonic()
            if goes_on and now < watched.until:
                watched.pause = min(2 * watched.pause, LONGEST_PAUSE_SECONDS)
                self._plan(watched, now)
            else:
                _close(watched.file)

    def _look(self, watched: _Watched) -> bool:
        """Look at a file, and put it back if its content has changed; whether to look again."""
        if watched.file.deleted is not None:
            self._look_at_deleted(watched, watched.file.deleted)
            return True
        file = watched.file
        if is_gone(file.place):
            return False  # a person has removed it, perhaps with its folder
        with opened_folder(self.folder, (file.place.parent.name,)) as folder:
            there = Place(folder, file.place.name)
            status = moving.status_of(there)
            if status is None:
                return False
            looks = Looks.of(status)
            if looks == file.looks or (moving.digest(there) or "").startswith(file.sha256):
                watched.file = file._replace(looks=looks)
                return True
            with self._opened_inbox(file.path) as inbox:
                moving.give_back(there, Place(inbox, file.path.name))
        _tell(file)
        with suppress(OSError):
            file.place.parent.rmdir()
        return False

    def _look_at_deleted(self, watched: _Watched, deleted: int) -> None:
        """Copy a deleted file back into the inbox once it has changed and then not for a while, or at the end."""
        now, looks = time.monotonic(), Looks.of(os.fstat(deleted))
        if looks != watched.file.looks:
            watched.file, watched.since, watched.pause = watched.file._replace(looks=looks), now, FIRST_PAUSE_SECONDS
            watched.seen = False
        if watched.seen or (now - watched.since < QUIET_SECONDS and not self._ended):
            return
        sha256 = digest_of_open(deleted)
        if sha256 != watched.file.sha256:
            with self._opened_inbox(watched.file.path) as inbox:
                hidden = Place(inbox, f".{secrets.token_hex(8)}{ON_THE_WAY}")
                moving.copy_open(deleted, hidden)
                moving.give_back(hidden, Place(inbox, watched.file.path.name))
            _tell(watched.file)
            watched.file = watched.file._replace(sha256=sha256)
        watched.seen = True

    def _opened_inbox(self, path: Path) -> AbstractContextManager[int]:
        """Open the folder of a path in the inbox, made where it is missing."""
        return opened_folder(self.inbox, path.relative_to(self.inbox).parts[:-1], make=True)

    def _recover(self) -> None:
        """At the start: look at what was written to meanwhile, and look on at what was moved not long ago."""
        try:
            self._give_back_on_the_way()
        except MonitorError as error:
            log.error("%s; files that were on the way to the quarantine are looked for at the next start", error)  # noqa: TRY400
        try:
            with os.scandir(self.folder) as entries:
                folders = [Path(entry.path) for entry in entries if FOLDER.fullmatch(entry.name)]
        except OSError:
            return  # there is no quarantine yet
        for folder in folders:
            try:
                self._recover_folder(folder)
            except OSError as error:
                log.error(  # noqa: TRY400 - a sentence for a person
                    "%s: cannot be looked at: %s; tried again at the next start", printable(folder), error.strerror
                )

    def _give_back_on_the_way(self) -> None:
        """Give files their names back that a crash left on the way to another file system."""
        for path in map(Path, files_below(self.inbox, lambda _folder, _error: None)):
            if not (path.name.startswith(".") and path.name.endswith(ON_THE_WAY)):
                continue
            name = path.name[1 : -len(ON_THE_WAY)]
            if not name or path == self._under_way:
                continue  # it was not hidden by this program, or is right now
            try:
                with self._opened_inbox(path) as inbox:
                    moving.give_back(Place(inbox, path.name), Place(inbox, name))
            except FileNotFoundError:
                continue  # it has arrived meanwhile
            except OSError as error:
                log.error(  # noqa: TRY400 - a sentence for a person
                    "%s: cannot get its name %s back: %s; tried again at the next start",
                    printable(path), printable(name), error.strerror,
                )  # fmt: skip

    def _recover_folder(self, place: Path) -> None:
        with opened_folder(self.folder, (place.name,)) as folder:
            moved_ns = os.fstat(folder).st_mtime_ns
            seconds = time.time() - moved_ns / 1e9
            names = os.listdir(folder)  # noqa: PTH208 - of a descriptor
            for name in names:
                status = moving.status_of(Place(folder, name))
                if status is None or not stat.S_ISREG(status.st_mode) or name.startswith(UNFINISHED_PREFIX):
                    continue
                if status.st_ctime_ns < moved_ns + TOGETHER_NS and seconds > WATCH_SECONDS:
                    continue  # the usual one is not read
                now = time.monotonic()
                file = Quarantined(self._path_of(place / name), place / name, place.name[:16], UNSEEN)
                # One that is older is only looked at once, unless that fails.
                until = now + WATCH_SECONDS if seconds <= WATCH_SECONDS else now
                self._plan(_Watched(file, until, now), now)
        # A new one that is empty is about to get a file.
        if names or seconds > WATCH_SECONDS:
            with suppress(OSError):
                place.rmdir()  # which fails where something is left in it

    def _path_of(self, place: Path) -> Path:
        """Where a file of the quarantine came from, as far as the store knows."""
        try:
            with self._database.read() as connection:
                found = crops.paths_by_digest(connection, place.parent.name[:16])
        except StoreDamagedError:
            raise
        except StoreError:
            found = []
        paths = [path for path in map(from_text, found) if path.name == place.name]
        return next((path for path in paths if path.is_relative_to(self.inbox)), self.inbox / place.name)


def _tell(file: Quarantined) -> None:
    log.warning(
        "%s: was written to after it was moved here as failed; it is put back as %s, to be decided",
        printable(file.place), printable(file.path),
    )  # fmt: skip


def _close(file: Quarantined) -> None:
    if file.deleted is not None:
        os.close(file.deleted)
