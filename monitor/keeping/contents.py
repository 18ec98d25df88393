"""Finds what was in the file of a stored crop: kept in the store, or in a file at one of its places."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks
from monitor.files.text import from_text, to_text
from monitor.keeping.places import places_of, recent_folder
from monitor.store import kept
from monitor.store.kept import Owed
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.details import StoredCropRow


class Why(StrEnum):
    """Why the content of a crop is not found."""

    # It could never be read, so that nothing is known of it.
    NEVER_READ = "never_read"
    # No place has a file.
    GONE = "gone"
    # There is a file with another content.
    REPLACED = "replaced"
    # There is a symbolic link, which is not followed.
    LINK = "link"
    # There is something that cannot be read.
    UNREADABLE = "unreadable"
    # The folder of the inbox is not there.
    NO_INBOX = "no_inbox"


class Content(NamedTuple):
    """The content of a crop's file, whose sha256 is the stored one; ``place``: its path as text, None if kept."""

    file: FileContent
    place: str | None


class NoContent(NamedTuple):
    """No place has the content; ``detail``: what the system says of a file that cannot be read."""

    why: Why
    detail: str = ""


class CropContents:
    """Finds the contents of stored crops. May be used from several threads."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self._database = database
        self._inbox = configuration.inbox
        self._recent = recent_folder(configuration)
        self._quarantine = configuration.quarantine
        folders = (
            *(configuration.inbox, configuration.labelled, configuration.archive, configuration.quarantine),
            self._recent,
        )
        roots = sorted((os.fspath(folder) for folder in folders if folder is not None), key=len)
        limits = configuration.settings.crops
        self.reader = CropReader(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels, roots=roots)

    def find(self, crop: StoredCropRow) -> Content | NoContent:
        """The content, from the store if it is kept there, else from the first file that has it; or why none has."""
        if not crop.sha256:
            return NoContent(Why.NEVER_READ)
        with self._database.read() as connection:
            stored = kept.content(connection, crop.sha256)
            # When its content became due plays no part in where its file is.
            sought = Owed(crop.id, crop.path, crop.sha256, crop.size_bytes, crop.source, datetime.now(UTC))
            places = places_of(connection, [sought], self._recent)[crop.id]
        if crop.state == "failed" and self._quarantine is not None:
            places.append(self._quarantine / crop.sha256[:16] / from_text(crop.path).name)
        if stored is not None and hashlib.sha256(stored).hexdigest() == crop.sha256:
            return Content(FileContent(stored, crop.sha256, Looks(len(stored), 0, 0)), None)
        # Looked at after the transaction: a share may take its time to answer.
        return self._in_files(crop, list(dict.fromkeys(places)))

    def _in_files(self, crop: StoredCropRow, places: Sequence[Path]) -> Content | NoContent:
        problem = NoContent(Why.GONE)
        for place in places:
            try:
                content = self.reader.load(place)
            except CropRefusedError as refusal:
                found = _no_content(refusal)
            else:
                if content.sha256 == crop.sha256:
                    return Content(content, to_text(place))
                found = NoContent(Why.REPLACED)
            # The first place says more than the others: that is where the file was.
            if problem.why is Why.GONE:
                problem = found
        inbox = os.path.isdir(self._inbox)  # noqa: PTH112 - never raises
        if problem.why is Why.GONE and not inbox and from_text(crop.path).is_relative_to(self._inbox):
            return NoContent(Why.NO_INBOX)
        return problem


def _no_content(refusal: CropRefusedError) -> NoContent:
    match refusal.reason:
        case Reason.VANISHED:
            return NoContent(Why.GONE)
        case Reason.SYMLINK:
            return NoContent(Why.LINK)
        # Only a file with another content can be empty or larger than a crop that was read once.
        case Reason.EMPTY | Reason.NOT_A_FILE:
            return NoContent(Why.REPLACED)
    return NoContent(Why.UNREADABLE, str(refusal))
