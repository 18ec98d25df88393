"""What waits in an inbox: a real folder, a real store, and a queue that is full as long as the test wants."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from monitor.configuration.settings import Watch
from monitor.files.looks import look
from monitor.files.text import to_text
from monitor.harness.waiting import wait_until
from monitor.inbox import backlog, handover
from monitor.inbox.backlog import Backlog, walk
from monitor.inbox.ledger import Waiting
from monitor.inbox.messages import Candidate, Done, Stop
from monitor.inbox.watcher import Watcher
from monitor.scoring import lookup
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from monitor.threads import TimedThread
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.files.ignoring import IgnoredNames


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=5)
    upgrade(opened)
    yield opened
    opened.close()


def remember(database: Database, path: Path, reason: str | None = None) -> None:
    """A row of the file as it looks now: a decision on it, or its failure."""
    status = path.stat()
    state = "failed" if reason else "scored"
    with database.write() as connection:
        connection.execute(
            insert(crops).values(
                path=to_text(path), sha256=path.name, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns,
                seen_at=datetime.now(UTC), state=state, reason=reason,
            )
        )  # fmt: skip


def test_a_walk_counts_what_the_store_does_not_know(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "SCAN_CHUNK", 2)
    inbox = tmp_path / "inbox"
    (inbox / "sub").mkdir(parents=True)
    assert walk(inbox, database) == Waiting(0, None)
    names = ["waits.jpg", "sub/waits.jpg", "decided.jpg", "failed.jpg", "unreadable.jpg", "changed.jpg", "no-crop.txt"]
    paths = [inbox / name for name in names]
    for path in paths:
        path.write_bytes(b"x")
    remember(database, paths[2])
    remember(database, paths[3], "undecodable")
    remember(database, paths[4], "unreadable")
    remember(database, paths[5])
    paths[5].write_bytes(b"another picture")
    assert walk(inbox, database) == Waiting(3, paths[0].stat().st_ctime_ns)


class Inbox:
    """A watched folder whose crops are taken only while the queue is not full."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.full = Event()
        self.full.set()
        self.taken: list[str] = []
        self.stopping = False
        self.watcher = Watcher(folder, Watch(), unknown=partial(lookup.new, database), deliver=self._deliver)
        self.backlog = Backlog(self.watcher, database)
        self.thread = TimedThread("watcher", self.watcher.run, lambda _code: None)

    def _deliver(self, candidate: Candidate) -> bool:
        while self.full.is_set() and not self.stopping:
            time.sleep(0.005)
        self.taken.append(candidate.path)
        return not self.stopping


@pytest.fixture
def held(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """Twenty crops in an inbox, of which the watcher cannot hand on the first."""
    monkeypatch.setattr(handover, "HELD_UP_SECONDS", 0.1)
    folder = tmp_path / "inbox"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.jpg").write_bytes(b"x")
    inbox = Inbox(folder, database)
    inbox.thread.start()
    yield inbox
    inbox.stopping = True
    inbox.watcher.mailbox.put(Stop())
    inbox.thread.join(60)
    assert not inbox.thread.is_alive()


def test_what_a_full_queue_keeps_from_being_found_is_walked_for(held: Inbox, tmp_path: Path) -> None:
    wait_until(held.watcher.is_held_up)
    assert held.backlog.count() == 1
    held.backlog.look()
    assert held.backlog.count() == 20
    oldest = (tmp_path / "inbox" / "0.jpg").stat().st_ctime
    assert held.backlog.oldest_seconds() == pytest.approx(time.time() - oldest, abs=60)
    # Once all are taken the watcher knows it exactly again, and nothing is walked for.
    held.full.clear()
    wait_until(lambda: len(held.taken) == 20)
    wait_until(lambda: not held.watcher.is_held_up())
    held.backlog.look()
    assert held.backlog.count() == 20
    for path in held.taken:
        held.watcher.mailbox.put(Done(path, look(path)))
    wait_until(lambda: held.backlog.count() == 0)
    assert held.backlog.oldest_seconds() == 0


def test_walking_takes_a_tenth_of_the_time(held: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []

    def slow(folder: Path, _database: Database, _ignored: IgnoredNames) -> Waiting:
        walks.append(folder)
        time.sleep(0.05)
        return Waiting(7, None)

    monkeypatch.setattr(backlog, "walk", slow)
    wait_until(held.watcher.is_held_up)
    began = time.monotonic()
    while len(walks) < 2:
        held.backlog.look()
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.5
    assert held.backlog.count() == 7


def test_an_inbox_that_cannot_be_walked_is_only_told_of(held: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    wait_until(held.watcher.is_held_up)
    folder = held.watcher.folder
    folder.rename(folder.with_name("elsewhere"))
    held.backlog.look()
    assert "what waits in the inbox is not counted: " in caplog.text
    assert held.backlog.count() == 1


def test_an_age_is_never_negative(held: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: held.backlog.count() == 1)
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a clock that was put back
    assert held.backlog.oldest_seconds() == 0


def test_what_was_not_looked_at_is_not_known_to_be_empty(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """No scan has gone through: 0 would say that nothing waits."""
    folder = tmp_path / "inbox"
    watcher = Watcher(folder, Watch(), unknown=partial(lookup.new, database), deliver=lambda _candidate: True)
    here = Backlog(watcher, database)
    assert math.isnan(here.count())
    assert math.isnan(here.oldest_seconds())
    here.look()  # there is no folder yet
    assert math.isnan(here.count())
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"x")
    here._next_walk = 0.0
    here.look()
    assert here.count() == 1
    assert here.oldest_seconds() >= 0
    watcher.has_scanned = True
    assert here.count() == 0  # the watcher knows it
    assert "what waits in the inbox is not counted" in caplog.text
