"""An empty folder in the place of the inbox is no proof that files are gone."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from monitor.configuration.file import load
from monitor.configuration.settings import Calibration
from monitor.daemon.jobs import Jobs
from monitor.errors import InboxDoubtError, InputMissingError
from monitor.metrics import Metrics
from monitor.registry import Registry
from monitor.store.database.schema import crops
from monitor.upkeep import inbox_identity
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, made_up, midpoint
from tests.support.scrape import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from tests.support.made_up import MadeUp

DAY = timedelta(days=1)
OLD = NOW - 40 * DAY
RULES = midpoint(Calibration(minimum_proliv=1, minimum_normal=1))


class Inbox:
    """An inbox with an old crop and a new one, decided as the daemon does, and a share that may be away."""

    def __init__(self, home: Path, store: MadeUp, after: str = "keep") -> None:
        self.home = home
        self.folder = home / "inbox"
        self.folder.mkdir()
        self.store = store
        self.file = home / "config.toml"
        self.configure(after)
        self.old, self.new = self.decide("1.jpg", OLD), self.decide("2.jpg", NOW)

    def configure(self, after: str) -> None:
        self.file.write_text(f"[inbox]\nafter = '{after}'\n[store]\nkeep_days = 30\n[paths]\narchive = 'archive'\n")
        self.configuration: Configuration = load(self.file)

    @property
    def database(self) -> Database:
        return self.store.database

    def decide(self, name: str, at: datetime) -> int:
        path = self.folder / name
        path.write_bytes(name.encode())
        crop = self.store.crop(0.1, at=at)
        status = path.stat()
        with self.database.write() as connection:
            values = {"path": str(path), "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
            connection.execute(update(crops).where(crops.c.id == crop).values(values))
        return crop

    def unmount(self) -> None:
        """The share goes, and another folder is in its place."""
        self.folder.rename(self.home / "share")
        self.folder.mkdir()

    def mount(self) -> None:
        self.folder.rename(self.home / "other")
        (self.home / "share").rename(self.folder)

    def prune(self, *, dry_run: bool = False, accept_inbox: bool = False) -> int:
        done = prune(self.database, self.configuration, 30, NOW, dry_run=dry_run, accept_inbox=accept_inbox)
        return done.crops


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    """In SQLite, or where a test is parametrized so in PostgreSQL."""
    server = getattr(request, "param", "sqlite") == "postgresql"
    with made_up(request.getfixturevalue("new_postgresql_store")() if server else tmp_path) as made:
        made.calibrate(RULES, [0.1, 0.2, 0.3], [1.0, 1.1, 1.2], at=OLD - 30 * DAY)
        yield made


@pytest.fixture
def inbox(store: MadeUp, tmp_path: Path) -> Inbox:
    return Inbox(tmp_path, store)


SENTENCE = r"inbox: this may not be the folder that crops were decided in.* monitor db prune --accept-inbox"


@pytest.mark.parametrize(("known", "refilled"), [(False, False), (True, False), (True, True)])
def test_nothing_is_deleted_while_the_share_is_away(inbox: Inbox, known: bool, refilled: bool) -> None:
    if known:
        inbox_identity.note(inbox.database, inbox.configuration, NOW)
    inbox.unmount()
    if refilled:
        inbox.decide("3.jpg", NOW)
    inbox_identity.note(inbox.database, inbox.configuration, NOW)  # the daemon is restarted meanwhile
    for options in ({}, {"dry_run": True}):
        with pytest.raises(InboxDoubtError, match=SENTENCE) as caught:
            inbox.prune(**options)
    assert caught.value.exit_code == 66
    inbox.mount()
    assert inbox.prune() == 0  # its file lies in the inbox
    (inbox.folder / "1.jpg").unlink()
    assert inbox.prune() == 1


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
def test_files_that_were_moved_away_are_no_proof_but_a_person_is(inbox: Inbox) -> None:
    assert inbox.prune() == 0
    for path in inbox.folder.iterdir():
        path.unlink()
    with pytest.raises(InboxDoubtError, match=SENTENCE):
        inbox.prune()
    assert inbox.prune(dry_run=True, accept_inbox=True) == 1
    with pytest.raises(InboxDoubtError, match=SENTENCE):
        inbox.prune()
    assert inbox.prune(accept_inbox=True) == 1
    inbox.decide("4.jpg", OLD - DAY)
    (inbox.folder / "4.jpg").unlink()
    inbox.decide("5.jpg", NOW)
    (inbox.folder / "5.jpg").unlink()
    assert inbox.prune() == 1
    # But only of this folder.
    inbox.unmount()
    inbox.decide("6.jpg", OLD)
    (inbox.folder / "6.jpg").unlink()
    inbox.decide("7.jpg", NOW)
    with pytest.raises(InboxDoubtError, match=SENTENCE):
        inbox.prune()


def test_a_folder_that_holds_what_was_decided_long_ago_is_believed(inbox: Inbox) -> None:
    """A share that was copied to another disk, or whose inodes change when it is mounted."""
    inbox_identity.note(inbox.database, inbox.configuration, NOW)
    inbox.decide("3.jpg", OLD)
    inbox.decide("4.jpg", NOW)
    inbox.unmount()
    for path in (inbox.home / "share").iterdir():
        copy = inbox.folder / path.name
        copy.write_bytes(path.read_bytes())
        os.utime(copy, ns=(0, path.stat().st_mtime_ns))
    (inbox.folder / "1.jpg").unlink()
    assert inbox.prune() == 1
    (inbox.folder / "3.jpg").unlink()
    assert inbox.prune() == 1


@pytest.mark.parametrize("after", ["delete", "archive"])
def test_an_inbox_that_is_emptied_by_the_program_is_known_by_its_folder(
    store: MadeUp, tmp_path: Path, after: str
) -> None:
    inbox = Inbox(tmp_path, store, after)
    for path in inbox.folder.iterdir():
        path.unlink()
    inbox_identity.note(inbox.database, inbox.configuration, NOW)
    inbox.unmount()
    with pytest.raises(InboxDoubtError, match=SENTENCE):
        inbox.prune()
    inbox.mount()
    assert inbox.prune() == 1


def test_an_inbox_that_is_configured_elsewhere_is_another(inbox: Inbox, tmp_path: Path) -> None:
    inbox_identity.note(inbox.database, inbox.configuration, NOW)
    (tmp_path / "elsewhere").mkdir()
    inbox.file.write_text("[paths]\ninbox = 'elsewhere'\n")
    inbox.configuration = load(inbox.file)
    assert inbox.prune() == 1


def test_a_missing_inbox_cannot_be_accepted(inbox: Inbox) -> None:
    inbox.folder.rename(inbox.home / "share")
    with pytest.raises(InputMissingError, match="there is no such folder"):
        inbox.prune(accept_inbox=True)
    inbox_identity.note(inbox.database, inbox.configuration, NOW)  # which says nothing


def test_the_daemon_says_that_it_has_stopped(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    jobs = Jobs(
        *(inbox.configuration, inbox.database, Registry.load(), metrics), in_use=lambda: (), reload=lambda: None
    )
    inbox.unmount()
    assert re.match(r"failed: .*this may not be the folder", jobs._prune(1, NOW))
    assert "nothing is deleted" in caplog.text
    stopped = 'monitor_deletion_stopped{task="retention"}'
    assert shown(metrics.registry)[stopped] == 1
    inbox.mount()
    assert "0 crops" in jobs._prune(1, NOW)
    assert shown(metrics.registry)[stopped] == 0
