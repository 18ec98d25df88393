"""The labelled folder: what its sub-folders say, and what has changed in it since the store last saw it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import InputMissingError, StoreDamagedError, StoreError
from monitor.files.ignoring import NOTHING
from monitor.files.text import printable, to_text
from monitor.files.walking import crop_files
from monitor.scoring import lookup
from monitor.scoring.matching import match
from monitor.store import labelled_files
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.files.ignoring import IgnoredNames
    from monitor.files.looks import StoredLooks
    from monitor.store.database.engine import Database


log = logging.getLogger(__name__)


class LabelledFolder:
    """The labelled folder; the names of its ``proliv/`` and ``ne_proliv/`` label all crops below them."""

    def __init__(self, folder: Path, ignored: IgnoredNames = NOTHING) -> None:
        """``folder`` holds proliv/ and ne_proliv/; it need not exist. ``ignored`` names in it are left alone."""
        self.folder = folder
        self.ignored = ignored
        self._warned: set[Path] = set()

    @property
    def folders(self) -> list[Path]:
        """The sub-folders that are labels."""
        return [self.folder / label.value for label in Label]

    def warn_of_links(self) -> None:
        """Warn of what looks like a label folder and is none: a link, which is not followed, or a file."""
        for folder in (self.folder, *self.folders):
            if folder != self.folder and os.path.islink(folder):  # noqa: PTH114 - see is_folder
                log.warning(
                    "%s: is a link, which is not followed, so the crops behind it get no label; put a folder there",
                    printable(folder),
                )
            elif os.path.exists(folder) and not is_folder(folder):  # noqa: PTH110
                log.warning("%s: is not a folder, so it labels nothing; put a folder there", printable(folder))

    def label_of(self, file: str) -> Label | None:
        """The label of a path below the folder; None where it has none, with one warning for each sub-folder."""
        path = Path(file)
        first, *rest = path.relative_to(self.folder).parts
        if rest and first in set(Label):
            return Label(first)
        if path.parent not in self._warned:
            self._warned.add(path.parent)
            log.warning(
                "%s: is neither in %s/ nor in %s/ of %s, so it has no label, nor has anything else in its folder; "
                "move it into one of the two",
                printable(path), *Label, printable(self.folder),
            )  # fmt: skip
        return None

    def unknown(
        self,
        database: Database,
        paths: Sequence[str],
        *,
        again: bool = True,
        alive: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """The paths that have a label and are new, have changed, or may have become readable.

        ``again`` and ``alive``: as for `lookup.new`.
        """
        wanted = {path: label for path in paths if (label := self.label_of(path)) is not None}
        with database.read() as connection:
            rows = labelled_files.known_files(connection, [to_text(path) for path in wanted])
        fresh = []
        looks: dict[str, StoredLooks] = {}
        for path, label in wanted.items():
            row = rows.get(to_text(path))
            found = None if row is None or row.label != label else match(path, [row], alive)
            if found is None or (again and found.row.reason in lookup.WORTH_ANOTHER_TRY):
                fresh.append(path)
            elif found.looks is not None:
                looks[found.row.path] = found.looks
        self._remember(database, looks)
        return fresh

    def _remember(self, database: Database, looks: Mapping[str, StoredLooks]) -> None:
        if not looks:
            return
        try:
            with database.write() as connection:
                labelled_files.set_looks(connection, looks)
        except StoreDamagedError:
            raise
        except StoreError as error:
            # They are compared once more the next time.
            log.debug("what %d known labelled files look like now was not stored: %s", len(looks), error)

    def forget_gone(self, database: Database, on_file: Callable[[], None] = lambda: None) -> int:
        """Forget the files that are no longer there, and return how many; the labels that they gave stay.

        Nothing is forgotten of a folder that is missing or cannot be read, such as a share that is not mounted.
        ``on_file`` is called for every file that is there.
        """
        unreadable: list[Path] = []
        present: set[str] = set()
        try:
            for path in crop_files(self.folder, lambda one, _error: unreadable.append(one), self.ignored):
                present.add(to_text(path))
                on_file()
        except InputMissingError:
            return 0
        unreadable += [folder for folder in self.folders if not is_folder(folder)]
        spared = tuple(f"{to_text(folder)}/" for folder in unreadable)
        below = f"{to_text(self.folder)}/"
        with database.read() as connection:
            seen = [row.path for row in labelled_files.all_files(connection)]
        gone = [path for path in seen if path.startswith(below) and path not in present and not path.startswith(spared)]
        if gone:
            with database.write() as connection:
                labelled_files.forget_files(connection, gone)
        return len(gone)


def is_folder(path: Path) -> bool:
    """Whether this is a folder; False for one that cannot be looked at."""
    # Path.is_dir raises when a folder above it cannot be entered.
    return os.path.isdir(path)  # noqa: PTH112
