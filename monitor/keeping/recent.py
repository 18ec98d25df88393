"""Sets aside the last decided files of each hole that would be deleted: the next alarm was decided after them.

They lie in a folder of their own, under the ids of their crops, so that they are there again after a restart. A file
goes for good when enough newer ones of its hole have come, unless its content is still due.
"""

from __future__ import annotations

import errno
import os
from bisect import insort
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from monitor.errors import OutputError
from monitor.files.folders import make_folder
from monitor.files.moving import Place, opened_folder
from monitor.files.opening import READING
from monitor.keeping.keeper import LARGEST_BYTES
from monitor.store import crops, kept

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database

Hole: TypeAlias = "tuple[str | None, int]"


def set_aside(configuration: Configuration) -> int:
    """How many files of each hole are set aside; 0 where none are, as where decided files are not deleted."""
    settings = configuration.settings
    return settings.alarms.evidence_crops if settings.inbox.after == "delete" else 0


class Recent:
    """The folder of the files that are set aside. For one thread."""

    def __init__(self, folder: Path, database: Database, most: int) -> None:
        """``most``: how many files of each hole; see `set_aside`."""
        self._folder = folder
        self._database = database
        self._most = most
        self._holes: defaultdict[Hole, list[int]] = defaultdict(list)
        self._leaving: set[int] = set()
        self._loaded = False

    def let_go(self, claim: Place, row: KnownCrop) -> None:
        """Set the claimed file of a crop aside, or delete it where it could be no evidence.

        Raises `OutputError` where the folder cannot be written, and `OSError` for the claim; the claim is there then.
        """
        if row.hole is None or row.size_bytes > LARGEST_BYTES:
            os.unlink(claim.name, dir_fd=claim.folder)
            return
        self._load()
        make_folder(self._folder)
        try:
            with opened_folder(self._folder) as folder:
                _move(claim, Place(folder, str(row.id)))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OutputError(f"{self._folder}: {error.strerror}") from error
        self._note(row)

    def trim(self) -> None:
        """Delete what newer files have replaced, unless it is still due. Raises `StoreError`."""
        if not self._leaving:
            return
        with self._database.read() as connection:
            going = self._leaving - kept.still_owed(connection, self._leaving)
        self._delete(going)
        self._leaving -= going

    def empty(self) -> None:
        """Where none are set aside any more, delete those of before, unless they are still due.

        Raises `OutputError` where the folder cannot be read, and `StoreError`.
        """
        assert not self._most
        if self._folder.is_dir():
            self._load()
            self.trim()

    def _load(self) -> None:
        """Take up what was set aside before a restart."""
        if self._loaded:
            return
        make_folder(self._folder)
        try:
            names = os.listdir(self._folder)  # noqa: PTH208
        except OSError as error:
            raise OutputError(f"{self._folder}: {error.strerror}") from error
        ids = {int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 18}
        with self._database.read() as connection:
            found = [row for row in crops.crops_by_ids(connection, ids) if row.hole is not None]
        self._loaded = True
        for row in found:
            self._note(row)
        # What is cut off, what retention has deleted, and what a database knows that is not the one of before.
        for name in set(names) - {str(row.id) for row in found}:
            with suppress(OSError):
                (self._folder / name).unlink()

    def _note(self, row: KnownCrop) -> None:
        assert row.hole is not None
        ids = self._holes[row.camera, row.hole]
        if row.id not in ids:
            # By their ids: a sweep finds files in any order.
            insort(ids, row.id)
        while len(ids) > self._most:
            self._leaving.add(ids.pop(0))

    def _delete(self, ids: Iterable[int]) -> None:
        for crop_id in ids:
            with suppress(OSError):
                (self._folder / str(crop_id)).unlink()


def _move(claim: Place, target: Place) -> None:
    """Move a claimed file; on another disk it is not flushed: a power cut may lose it, a kill does not."""
    with suppress(FileNotFoundError):
        os.unlink(target.name, dir_fd=target.folder)  # of an attempt that was cut off
    try:
        os.rename(claim.name, target.name, src_dir_fd=claim.folder, dst_dir_fd=target.folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(claim, target)
        os.unlink(claim.name, dir_fd=claim.folder)


def _copy(claim: Place, target: Place) -> None:
    part = f"{target.name}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    reader = os.open(claim.name, READING, dir_fd=claim.folder)
    with open(reader, "rb") as reading:  # noqa: PTH123 - a descriptor
        content = reading.read(LARGEST_BYTES + 1)
    try:
        with open(os.open(part, flags, 0o600, dir_fd=target.folder), "wb") as writing:  # noqa: PTH123 - a descriptor
            writing.write(content)
    except OSError:
        with suppress(OSError):
            os.unlink(part, dir_fd=target.folder)  # a full disk needs the space
        raise
    os.rename(part, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder)
