"""What becomes of a file once the decision on it is committed: it is deleted, or moved to the archive.

A thread of its own does it, so that no slow or broken archive holds up a decision. It is told of every decided crop,
and looks over the inbox from time to time besides: what was decided before a crash, or before `inbox.after` was
changed, or could not be moved the last time, is found there. The store alone says what was decided.

Whoever may write into the inbox may overwrite a file at any moment, so that looking first and deleting then would lose
what came in between. A file is first given a name of its own (a claim), then its content is held against the decided
one, and only then does it go; another content gets its name back, to be decided itself. A claim that a crash leaves
behind is taken up at the next start.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Literal

from monitor.errors import MonitorError, OutputError, StoreDamagedError, StoreError
from monitor.files import moving
from monitor.files.folders import make_folder
from monitor.files.looks import is_unchanged, look
from monitor.files.moving import Place, opened_folder
from monitor.files.text import from_text, printable, to_text
from monitor.files.walking import crop_files
from monitor.inbox.archive import MOST_NAMES, Archive
from monitor.inbox.claims import claims
from monitor.store import crops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.files.looks import Looks
    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

Tidied = Literal["deleted", "archived", "changed", "failed"]

CHUNK: Final = 256
"""Files that are looked up in the store at once."""
MAILBOX_LIMIT: Final = 100_000
"""Decided files beyond this many are left for the next look over the inbox."""
SWEEP_SHARE: Final = 0.1
"""The share of the time that looking over the inbox may take."""
TELL_AGAIN_SECONDS: Final = 3600.0
LONGEST_PAUSE_SECONDS: Final = 300.0


class Tidier:
    """Tidies the decided files of the inbox, in a thread of its own."""

    def __init__(self, configuration: Configuration, database: Database, count: Callable[[Tidied], None]) -> None:
        """``count`` is told the outcome of each file."""
        after = configuration.settings.inbox.after
        self.enabled = after != "keep"
        self.archive: Archive | None = None
        if after == "archive":
            assert configuration.archive is not None  # the configuration is refused without it
            self.archive = Archive(configuration.archive, configuration.time_zone)
        self._inbox = configuration.inbox
        self._database = database
        self._count = count
        self._pause = configuration.settings.watch.scan_seconds
        self._mailbox: SimpleQueue[str | None] = SimpleQueue()
        self._ended = False
        self._claims_left = True
        self._next_sweep = 0.0
        # While the archive or the store is in trouble files are left for the next sweep. After any failure that comes
        # later each time: a claim that is given back looks changed, and is looked at again.
        self._trouble = False
        self._failed = False
        self._told: dict[str, float] = {}

    def offer(self, path: str) -> None:
        """Hand over a crop of the inbox whose decision is committed; never waits."""
        if self.enabled and self._mailbox.qsize() < MAILBOX_LIMIT:
            self._mailbox.put(path)

    def stop(self) -> None:
        """End the thread once what was handed over is tidied."""
        self._mailbox.put(None)

    def run(self, _stage: TimedThread | None = None) -> None:
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
        """Tidy all that was handed over; with ``wait``, wait so many seconds for the first."""
        try:
            first = self._mailbox.get(timeout=wait) if wait > 0 else self._mailbox.get_nowait()
            chunk = [first, *(self._mailbox.get_nowait() for _ in range(self._mailbox.qsize()))]
        except Empty:
            return
        paths = [path for path in chunk if path is not None]
        self._ended = len(paths) < len(chunk)
        for start in range(0, len(paths), CHUNK):
            self._tidy(paths[start : start + CHUNK])

    def _sweep(self) -> None:
        """Look over the inbox for what was decided and is still there."""
        try:
            if self._claims_left:
                self._take_up_claims()
            chunk: list[str] = []
            for path in crop_files(self._inbox, lambda _folder, _error: None):
                chunk.append(path)
                if len(chunk) == CHUNK:
                    self._tidy(chunk)
                    chunk = []
                    self._receive()
                    if self._trouble or self._ended:
                        return
            self._tidy(chunk)
        except StoreDamagedError:
            raise
        except (MonitorError, OSError) as error:
            self._tell(type(error).__name__, f"the inbox is not tidied: {error}")

    def _take_up_claims(self) -> None:
        """Finish, or give back, what an earlier run had claimed when it ended."""
        self._claims_left = False
        for folder, name in claims(self._inbox):
            if not self._attempt(folder / name, partial(self._take_up, folder, name)):
                return

    def _take_up(self, folder: Path, name: str) -> Tidied:
        number = name.split(".")[1]
        with self._database.read() as connection:
            row = crops.crop_by_id(connection, int(number))
        with opened_folder(self._inbox, folder.relative_to(self._inbox).parts) as opened:
            claim = Place(opened, name)
            if row is None or not _was_decided(row):
                # Whoever may write into the inbox may have made it.
                moving.give_back(claim, Place(opened, f"{number}.jpg"))
                return "changed"
            return self._finish(claim, self._planned([row]))

    def _tidy(self, paths: Sequence[str]) -> None:
        """Tidy those of the paths that the store has a decision on, unless it would be in vain."""
        if self._trouble:
            return
        looks = {path: look(path) for path in paths}
        try:
            with self._database.read() as connection:
                rows = crops.known_crops(connection, [to_text(path) for path in paths])
            decided: defaultdict[Path, list[KnownCrop]] = defaultdict(list)
            for row in self._planned(
                [row for path in paths for row in rows.get(to_text(path), ()) if _is_decided(row, looks[path])]
            ):
                decided[from_text(row.path)].append(row)
        except StoreDamagedError:
            raise
        except StoreError as error:
            self._trouble = self._failed = True
            self._tell(type(error).__name__, str(error))
            return
        for path, found in decided.items():
            if not self._attempt(path, partial(self._tidy_one, path, found)):
                return

    def _planned(self, rows: list[KnownCrop]) -> list[KnownCrop]:
        """The rows, each with a place in the archive; one is noted for what was decided before there was this one."""
        if self.archive is None:
            return rows
        places: dict[int, str] = {}
        for row in rows:
            if row.archived_path is None or not self.archive.holds(from_text(row.archived_path)):
                assert row.verdict is not None  # it was decided
                places[row.id] = to_text(self.archive.place(row.seen_at, row.verdict, from_text(row.path).name))
        if not places:
            return rows
        with self._database.write() as connection:
            crops.set_archived_paths(connection, places)
        return [row._replace(archived_path=places.get(row.id, row.archived_path)) for row in rows]

    def _attempt(self, path: Path, action: Callable[[], Tidied | None]) -> bool:
        """Do it, count and tell what became of it; false where the next file would have the same fate."""
        try:
            outcome = action()
        except FileNotFoundError:
            return True  # somebody else took it
        except StoreDamagedError:
            raise
        except OSError as error:
            # With this file or its folder in the inbox; another may go.
            reason = str(error.strerror)
            self._fail(reason, f"{printable(path)}: cannot be taken out of the inbox: {reason}")
        except MonitorError as error:
            # With the archive or the store.
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
        self._claims_left = True  # in case that a claim could not be given back either
        self._count("failed")
        self._tell(kind, sentence)

    def _tell(self, kind: str, sentence: str) -> None:
        """Say it, unless the same kind of trouble was told of not long ago."""
        now = time.monotonic()
        if now - self._told.get(kind, -TELL_AGAIN_SECONDS) >= TELL_AGAIN_SECONDS:
            self._told[kind] = now
            log.error(
                "%s; decided files stay in the inbox until that is mended, tried again in %g s or so",
                sentence, self._pause,
            )  # fmt: skip

    def _tidy_one(self, path: Path, rows: list[KnownCrop]) -> Tidied | None:
        """Claim a file that looks like a decided one, and let it go if it is; ``rows``: what is decided of the path."""
        below = path.relative_to(self._inbox).parts
        with opened_folder(self._inbox, below[:-1]) as folder:
            source = Place(folder, path.name)
            status = moving.status_of(source)
            if status is None or not stat.S_ISREG(status.st_mode):
                return None
            if self.archive is not None:
                # What is wrong with it shows here, and the file keeps its name.
                with self._opened_archive(rows[0]):
                    pass
            claim = Place(folder, f".{rows[0].id}.monitor-claim")
            try:
                moving.rename(source, claim)
            except FileExistsError:
                self._claims_left = True
                return None
            return self._finish(claim, rows)

    def _finish(self, claim: Place, rows: Sequence[KnownCrop]) -> Tidied:
        """Let a claimed file go if its content is that of one of the rows; else give it its name back."""
        name = from_text(rows[0].path).name
        try:
            found = moving.digest(claim)
            row = next((row for row in rows if row.sha256 == found), None)
            if row is None:
                moving.give_back(claim, Place(claim.folder, name))
                return "changed"
            if self.archive is None:
                os.unlink(claim.name, dir_fd=claim.folder)
                return "deleted"
            self._move(claim, row, self.archive)
        except (OSError, MonitorError):
            with suppress(FileNotFoundError):
                moving.give_back(claim, Place(claim.folder, name))
            raise
        return "archived"

    def _move(self, claim: Place, row: KnownCrop, archive: Archive) -> None:
        with self._opened_archive(row) as (folder, planned):
            for path in archive.names(planned, row.sha256):
                target = Place(folder, path.name)
                status = moving.status_of(target)
                if status is not None:
                    same = status.st_size == row.size_bytes and moving.digest(target) == row.sha256
                    if not same or self._is_of_another(row, path):
                        continue
                    # An earlier attempt got so far; or the camera has sent it once more.
                    os.fsync(folder)
                    os.unlink(claim.name, dir_fd=claim.folder)
                    return
                if path != planned:
                    with self._database.write() as connection:
                        crops.set_archived_paths(connection, {row.id: to_text(path)})
                with suppress(FileExistsError):
                    moving.move(claim, target)
                    return
        raise OutputError(f"{printable(planned)}: there are {MOST_NAMES} files of this name")

    @contextmanager
    def _opened_archive(self, row: KnownCrop) -> Iterator[tuple[int, Path]]:
        """The folder that the crop's place lies in, made where it is missing, and the place.

        What the system refuses there, also while it is used, becomes an `OutputError`.
        """
        assert self.archive is not None
        assert row.archived_path is not None
        place = from_text(row.archived_path)
        make_folder(self.archive.folder)
        below = place.relative_to(self.archive.folder).parts[:-1]
        try:
            with opened_folder(self.archive.folder, below, make=True) as folder:
                yield folder, place
        except FileNotFoundError:
            raise  # somebody else took the claim
        except OSError as error:
            raise OutputError(str(error.strerror)) from error

    def _is_of_another(self, row: KnownCrop, place: Path) -> bool:
        with self._database.read() as connection:
            return crops.is_place_of_another(connection, row.id, row.sha256, to_text(place))


def _is_decided(row: KnownCrop, looks: Looks | None) -> bool:
    """Whether a row is a decision on a file of the inbox that looks like this."""
    return _was_decided(row) and is_unchanged(looks, row)


def _was_decided(row: KnownCrop) -> bool:
    """Whether a row is a decision on a file of the inbox, however that looks now."""
    return row.state == "scored" and row.source == "inbox"
