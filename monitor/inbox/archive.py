"""Where decided files are archived, and how they get there."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from monitor.errors import OutputError
from monitor.files import moving
from monitor.files.folders import flush_folder, make_folder
from monitor.files.moving import Place, opened_folder
from monitor.files.text import from_text, printable, to_text
from monitor.store import crops

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database

# Names that are tried for a file, before the archive counts as broken.
MOST_NAMES: Final = 1000
# The longest name that Linux file systems allow.
LONGEST_NAME_BYTES: Final = 255


class Archive:
    """The folder of decided files: each is ``folder/YYYY-MM-DD/VERDICT/NAME``, the day by the plant's clock."""

    def __init__(self, folder: Path, time_zone: ZoneInfo) -> None:
        self.folder = folder
        self._time_zone = time_zone

    def place(self, seen_at: datetime, verdict: str, name: str) -> Path:
        """Where a file goes, if no other has that name."""
        return self.folder / f"{seen_at.astimezone(self._time_zone):%Y-%m-%d}" / verdict / name

    def names(self, place: Path, sha256: str) -> Iterator[Path]:
        """The place, then others beside it for when it is taken, with the first digits of the sha256 in their names."""
        yield place
        for number in range(1, MOST_NAMES):
            ending = f"-{sha256[:12]}{'' if number == 1 else f'-{number}'}{place.suffix}"
            stem = os.fsencode(place.stem)[: LONGEST_NAME_BYTES - len(os.fsencode(ending))]
            yield place.with_name(os.fsdecode(stem) + ending)

    def holds(self, place: Path) -> bool:
        """Whether this is a place of the archive, which may have been another folder when a crop was decided."""
        return place.is_relative_to(self.folder) and len(place.relative_to(self.folder).parts) == 3

    @contextmanager
    def opened(self, place: Path) -> Iterator[int]:
        """Open the folder of a place, created where it is missing, without following a link on the way.

        What the system refuses there, also while the folder is open, becomes an `OutputError`; only a missing file
        stays a `FileNotFoundError`.
        """
        make_folder(self.folder)
        below = place.relative_to(self.folder).parts[:-1]
        try:
            with opened_folder(self.folder, below, make=True) as folder:
                yield folder
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OutputError(str(error.strerror)) from error


class Archiver:
    """Moves claimed files to their places in the archive; the store notes each place before the file is moved."""

    def __init__(self, archive: Archive, database: Database) -> None:
        self.archive = archive
        self._database = database

    def plan(self, rows: list[KnownCrop]) -> list[KnownCrop]:
        """The rows, each with a place in this archive; one is noted for what was decided without it."""
        places: dict[int, str] = {}
        for row in rows:
            if row.archived_path is None or not self.archive.holds(from_text(row.archived_path)):
                assert row.verdict is not None  # it was decided
                places[row.id] = to_text(self.archive.place(row.seen_at, row.verdict, from_text(row.path).name))
        if not places:
            return rows
        self._note(places)
        return [row._replace(archived_path=places.get(row.id, row.archived_path)) for row in rows]

    def check(self, row: KnownCrop) -> None:
        """Raise `OutputError` where the folder of a planned place cannot be opened."""
        with self.archive.opened(_planned(row)):
            pass

    def move(self, claim: Place, row: KnownCrop) -> None:
        """Move the claimed file of a crop to its planned place, or beside it where another file has that name.

        Raises `OutputError` where that cannot be done, and `FileNotFoundError` where the claim is gone.
        """
        planned = _planned(row)
        with self.archive.opened(planned) as folder:
            for path in self.archive.names(planned, row.sha256):
                target = Place(folder, path.name)
                status = moving.status_of(target)
                if status is not None:
                    same = status.st_size == row.size_bytes and moving.digest(target) == row.sha256
                    if not same or self._belongs_to_another(row, path):
                        continue
                    # An earlier attempt got this far, or the camera has sent the file once more.
                    flush_folder(folder)
                    os.unlink(claim.name, dir_fd=claim.folder)
                    return
                if path != planned:
                    self._note({row.id: to_text(path)})
                # Raised where another file has got the name since.
                with suppress(FileExistsError):
                    moving.move(claim, target)
                    return
        raise OutputError(f"{printable(planned)}: there are {MOST_NAMES} files of this name")

    def _note(self, places: dict[int, str]) -> None:
        with self._database.write() as connection:
            crops.set_archived_paths(connection, places)

    def _belongs_to_another(self, row: KnownCrop, place: Path) -> bool:
        with self._database.read() as connection:
            return crops.is_place_of_another(connection, row.id, row.sha256, to_text(place))


def _planned(row: KnownCrop) -> Path:
    assert row.archived_path is not None  # by `Archiver.plan`
    return from_text(row.archived_path)
