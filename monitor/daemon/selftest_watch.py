"""Tells the files of self-tests from others as the daemon finds them, and notes when it has found them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from monitor.errors import StoreError
from monitor.files.text import to_text
from monitor.store import selftests

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)


class SelftestWatch:
    """Which files are of self-tests; threads may share it.

    The store alone says so, and only files with a certain name are looked up, so others cost nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: SimpleQueue[tuple[str, datetime]] = SimpleQueue()

    def is_one(self, path: str) -> bool:
        """Whether a self-test has a file at this path; False where the database cannot say. It is noted as found."""
        if not selftests.may_be_one(path):
            return False
        text = to_text(path)
        try:
            with self._database.read() as connection:
                found = selftests.is_path_of_one(connection, text)
        except StoreError as error:
            log.debug("%s: it is not known whether a self-test made it: %s", text, error)
            return False
        if found:
            self._found.put((text, datetime.now(UTC)))
        return found

    def store(self) -> None:
        """Store when files were found: apart from `is_one`, which must not wait to write. Raises `StoreError`."""
        found: list[tuple[str, datetime]] = []
        try:
            while True:
                found.append(self._found.get_nowait())
        except Empty:
            pass
        if found:
            with self._database.write() as connection:
                for path, at in found:
                    selftests.note_seen(connection, path, at)
