"""Lets single decided files of the inbox go without losing what the camera writes under their names meanwhile.

A file of the inbox may be overwritten at any moment, so to check it first and delete it then could lose what came in
between. A file is first renamed to a name of its own (a claim); then its content is compared with the decided one, and
only then does it go. A file with another content gets its name back, to be decided itself.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.errors import MonitorError
from monitor.files import moving
from monitor.files.ignoring import NOTHING
from monitor.files.moving import Place, opened_folder
from monitor.files.text import from_text
from monitor.files.walking import files_below
from monitor.keeping.places import claim_name
from monitor.store import crops, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.archive import Archiver
    from monitor.keeping.recent import Recent
    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database

# The number is the crop's id; an id of more digits than these would not fit into the database. Where something else has
# the name, the claim has eight random digits as well.
CLAIM: Final = re.compile(r"\.([0-9]{1,18})(?:-[0-9a-f]{8})?\.monitor-claim")

Tidied: TypeAlias = Literal["deleted", "archived", "changed", "failed"]


class Claims:
    """Claims files of the inbox, and deletes or archives them.

    ``may_be_left``: whether claims may lie in the inbox, from before a crash or because they could not be given back or
    were in a folder that could not be read.
    """

    def __init__(
        self,
        inbox: Path,
        database: Database,
        archiver: Archiver | None,
        prove: Callable[[Sequence[KnownCrop]], None],
        ignored: IgnoredNames = NOTHING,
        recent: Recent | None = None,
    ) -> None:
        """Without an ``archiver``, files are deleted, the last ones of each hole after they were set aside in
        ``recent``. ``prove`` raises `StoreDoubtError` for rows not to rely on."""
        self.may_be_left = True
        self._inbox = inbox
        self._database = database
        self._archiver = archiver
        self._prove = prove
        self._ignored = ignored
        self._recent = recent

    def left(self) -> Iterator[Path]:
        """The claims that lie in the inbox; raises `InputMissingError` where that cannot be read."""
        found = files_below(self._inbox, self._note_unreadable, self._ignored)
        return (Path(path) for path in found if CLAIM.fullmatch(path.rpartition("/")[2]))

    def _note_unreadable(self, _folder: Path, _error: OSError) -> None:
        self.may_be_left = True

    def recover(self, path: Path) -> Tidied | None:
        """Finish what an earlier claim began, or give the file its name back; None while its content is due."""
        match = CLAIM.fullmatch(path.name)
        assert match is not None  # by `left`
        with self._database.read() as connection:
            row = crops.crop_by_id(connection, int(match[1]))
            due = kept.still_owed(connection, [int(match[1])])
        if due:
            self.may_be_left = True
            return None
        if row is not None and was_decided(row):
            self._prove([row])
        with self._opened_folder_of(path) as folder:
            claim = Place(folder, path.name)
            if row is None or not was_decided(row):
                # Anyone who may write into the inbox may have made it.
                moving.give_back(claim, Place(folder, f"{match[1]}.jpg"))
                return "changed"
            (row,) = self._archiver.plan([row]) if self._archiver else [row]
            return self._finish(claim, [row])

    def tidy(self, path: Path, rows: Sequence[KnownCrop]) -> Tidied | None:
        """Let a file go if it is one of the decided ones of this path, ``rows``; None where it is not touched.

        Each row has its place, where there is an archive. Raises `OutputError` where the archive cannot be written,
        and `OSError` where the inbox refuses the change; the file keeps its name then.
        """
        with self._opened_folder_of(path) as folder:
            source = Place(folder, path.name)
            status = moving.status_of(source)
            if status is None or not stat.S_ISREG(status.st_mode):
                return None
            if self._archiver is not None:
                # Before the file is claimed, so that it keeps its name where the archive is in trouble.
                self._archiver.check(rows[0])
            return self._finish(self._claimed(source, rows[0].id), rows)

    def _claimed(self, source: Place, crop_id: int) -> Place:
        """Claim a file; another claim or anything else may have the name."""
        claim = Place(source.folder, claim_name(crop_id))
        try:
            moving.rename(source, claim)
        except FileExistsError:
            self.may_be_left = True
            claim = Place(source.folder, f".{crop_id}-{secrets.token_hex(4)}.monitor-claim")
            moving.rename(source, claim)
        return claim

    def _opened_folder_of(self, path: Path) -> AbstractContextManager[int]:
        return opened_folder(self._inbox, path.relative_to(self._inbox).parts[:-1])

    def _finish(self, claim: Place, rows: Sequence[KnownCrop]) -> Tidied:
        """Let a claimed file go if its content is that of one of the rows; else give it its name back."""
        name = Place(claim.folder, from_text(rows[0].path).name)
        try:
            found = moving.digest(claim)
            row = next((row for row in rows if row.sha256 == found), None)
            if row is None:
                moving.give_back(claim, name)
                return "changed"
            if self._archiver is None:
                if self._recent is not None:
                    self._recent.let_go(claim, row)
                else:
                    os.unlink(claim.name, dir_fd=claim.folder)
                return "deleted"
            self._archiver.move(claim, row)
        except (OSError, MonitorError):
            with suppress(FileNotFoundError):
                moving.give_back(claim, name)
            raise
        return "archived"


def was_decided(row: KnownCrop) -> bool:
    """Whether a row is a decision on a file of the inbox, whatever that file looks like now."""
    return row.state == "scored" and row.source == "inbox"
