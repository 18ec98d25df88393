"""An inbox with its quarantine, for tests of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.crops.loader import CropReader
from monitor.harness.waiting import wait_until
from monitor.inbox.quarantine import Quarantine
from monitor.inbox.second_looks import SecondLooks
from monitor.store.database.engine import Database
from monitor.store.decisions import record
from monitor.threads import TimedThread
from tests.support.stored_crops import crop, failed
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from pathlib import Path


READER = CropReader(max_bytes=1_000_000, max_pixels=10)


class Here:
    """An inbox with its quarantine, which may lie elsewhere, and a thread that looks at it again."""

    def __init__(self, home: Path, folder: Path | None = None) -> None:
        self.inbox = home / "inbox"
        self.inbox.mkdir()
        self.folder = folder or home / "quarantine"
        self.database = Database(f"sqlite:///{home / 'monitor.db'}", busy_seconds=5)
        upgrade(self.database)
        self.threads: list[tuple[SecondLooks, TimedThread]] = []
        self.restart()

    def restart(self) -> None:
        """End the thread as the daemon does, and begin another."""
        self.stop()
        self.looks = SecondLooks(self.inbox, self.folder, self.database)
        self.quarantine = Quarantine(self.looks)
        self.start()

    def start(self) -> None:
        thread = TimedThread("second looks", self.looks.run, lambda _code: None)
        thread.start()
        self.threads.append((self.looks, thread))

    def stop(self) -> None:
        while self.threads:
            looks, thread = self.threads.pop()
            looks.stop()
            thread.join(30)
            assert not thread.is_alive()

    def put(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def fail(self, path: Path, *, stored: bool = True) -> Path:
        """Read a file, store its failure and move it, as the daemon does."""
        content = READER.load(path)
        if stored:
            row = failed(crop(path.name))._replace(path=str(path), sha256=content.sha256)
            with self.database.write() as connection:
                record(connection, [row])
        moved = self.quarantine.take(path, content.sha256, content.looks)
        assert moved is not None
        return moved


both = pytest.mark.parametrize("here", ["same", pytest.param("another disk", marks=pytest.mark.process)], indirect=True)


def wait_for_entries(here: Here, count: int) -> list[Any]:
    wait_until(lambda: len(here.looks._due) == count and here.looks._mailbox.empty())
    return list(here.looks._due)
