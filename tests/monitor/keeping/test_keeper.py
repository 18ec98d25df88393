"""What is due as evidence is read from wherever its file lies, and what cannot be read is said so."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.keeping.keeper import ANOTHERS_GONE_AFTER, GONE, GONE_AFTER, LARGEST_BYTES, TRY_AGAIN, Keeper
from monitor.keeping.places import claim_name
from monitor.store import kept
from monitor.store.database.schema import labelled_files
from tests.support.disks import as_nobody, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.kept import Kept
    from tests.monitor.inbox.conftest import MakeInbox
    from tests.support.decided_inbox import DecidedInbox

NOW = datetime(2026, 3, 3, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def owed(home: DecidedInbox, path: Path, **changes: object) -> int:
    """The id of a crop that is decided and due."""
    crop_id = home.decide(path, **changes)  # type: ignore[arg-type]
    owe(home, crop_id)
    return crop_id


def owe(home: DecidedInbox, *crop_ids: int) -> None:
    with home.database.write() as connection:
        kept.owe(connection, crop_ids, NOW)


def state(home: DecidedInbox, crop_id: int) -> Kept:
    with home.database.read() as connection:
        return kept.kept_of(connection, [crop_id])[crop_id]


def content(home: DecidedInbox, crop_id: int) -> bytes | None:
    digest = state(home, crop_id).sha256
    with home.database.read() as connection:
        return None if digest is None else kept.content(connection, digest)


@pytest.mark.parametrize("place", ["own", "claim", "recent", "archive", "labelled"])
def test_a_file_is_found_wherever_it_went(decided_inbox: MakeInbox, clock: Clock, place: str) -> None:
    home = decided_inbox("archive")
    path = home.put("1.jpg", b"one")
    crop_id = owed(home, path)
    folders = {
        "own": path,
        "claim": path.with_name(claim_name(crop_id)),
        "recent": home.configuration.state / "recent" / str(crop_id),
        "archive": home.archive / "2026-03-03" / "ne_proliv" / "1.jpg",
        "labelled": home.home / "labelled" / "proliv" / "other.jpg",
    }
    if place == "labelled":
        with home.database.write() as connection:
            columns = {"path": str(folders[place]), "label": "proliv", "sha256": sha256(path), "size_bytes": 3}
            connection.execute(labelled_files.insert(), {**columns, "mtime_ns": 0, "crop_id": crop_id, "seen_at": NOW})
    folders[place].parent.mkdir(parents=True, exist_ok=True)
    path.rename(folders[place])
    assert not Keeper(home.database, home.configuration, clock).look()
    assert (state(home, crop_id).state, content(home, crop_id)) == ("kept", b"one")


def test_a_content_is_stored_once_and_goes_with_its_last_crop(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    first, second = (owed(home, home.put(name, b"same")) for name in ("1.jpg", "2.jpg"))
    Keeper(home.database, home.configuration, clock).look()
    with home.database.write() as connection:
        assert [found for _, found in kept.contents_after(connection, "", 10)] == [b"same"]
        kept.forget(connection, [first])
    assert content(home, second) == b"same"
    with home.database.write() as connection:
        kept.forget(connection, [second])
        assert kept.contents_after(connection, "", 10) == []


def test_what_is_gone_is_looked_for_a_while_and_then_said_so(
    decided_inbox: MakeInbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    home = decided_inbox("keep")
    path = home.put("1.jpg", b"one")
    crop_id = owed(home, path)
    path.write_bytes(b"another picture")
    keeper = Keeper(home.database, home.configuration, clock)
    keeper.look()
    assert state(home, crop_id) == (crop_id, "due", None, GONE)
    keeper.look()  # not again so soon
    clock.now = NOW + GONE_AFTER + TRY_AGAIN
    keeper.look()
    assert state(home, crop_id) == (crop_id, "gone", None, GONE)
    assert f"crop {crop_id}, {path}: is not kept as evidence: {GONE}" in caplog.text
    # A person labels it, and there is a copy now; the clock was put back meanwhile.
    path.write_bytes(b"two")
    owe(home, crop_id)
    keeper.look()
    assert state(home, crop_id).state in ("due", "gone")
    path.write_bytes(b"one")
    owe(home, crop_id)
    clock.now = NOW - timedelta(days=400)
    keeper.look()
    assert content(home, crop_id) == b"one"


def test_a_file_of_another_inbox_is_left_to_its_daemon_for_a_day(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    path = home.put("1.jpg", b"one")
    crop_id = home.decide(path)
    with home.database.write() as connection:
        connection.exec_driver_sql("update crops set path = '/elsewhere/1.jpg'")
    owe(home, crop_id)
    keeper = Keeper(home.database, home.configuration, clock)
    clock.now = NOW + GONE_AFTER + TRY_AGAIN
    keeper.look()
    assert state(home, crop_id).state == "due"
    clock.now = NOW + ANOTHERS_GONE_AFTER
    keeper.look()
    assert state(home, crop_id).state == "gone"


def test_a_huge_picture_is_noted_and_not_read(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    path = home.put("1.bmp", b"")
    os.truncate(path, LARGEST_BYTES + 1)
    fits = owed(home, home.put("2.bmp", bytes(LARGEST_BYTES)))
    crop_id = owed(home, path)
    Keeper(home.database, home.configuration, clock).look()
    found = state(home, crop_id)
    assert (found.state, found.sha256) == ("too_large", None)
    assert "1,048,577 bytes" in str(found.problem)
    assert state(home, fits).state == "kept"


def test_no_link_is_followed(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    path = home.put("1.jpg", b"one")
    crop_id = owed(home, path)
    path.rename(home.home / "secret.jpg")
    path.symlink_to(home.home / "secret.jpg")
    Keeper(home.database, home.configuration, clock).look()
    assert state(home, crop_id).state == "due"


def test_what_may_not_be_read_and_what_is_not_mounted_stays_due(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    path = home.put("1.jpg", b"one")
    crop_id = owed(home, path)
    clock.now = NOW + 2 * ANOTHERS_GONE_AFTER
    keeper = Keeper(home.database, home.configuration, clock)
    with as_nobody(home.home):
        path.chmod(0)
        keeper.look()
        found = state(home, crop_id)
        assert (found.state, "read permission" in str(found.problem)) == ("due", True)
        path.chmod(0o644)
        home.database.close()
    home.inbox.rename(home.home / "away")
    clock.now += 2 * TRY_AGAIN
    keeper.look()
    found = state(home, crop_id)
    assert (found.state, "mount its share" in str(found.problem)) == ("due", True)
    (home.home / "away").rename(home.inbox)
    clock.now += timedelta(hours=1)
    keeper.look()
    assert content(home, crop_id) == b"one"


def test_many_are_kept_in_several_looks(decided_inbox: MakeInbox, clock: Clock) -> None:
    home = decided_inbox("keep")
    ids = [home.decide(home.put(f"{number}.jpg", b"%d" % number)) for number in range(70)]
    owe(home, *ids)
    keeper = Keeper(home.database, home.configuration, clock)
    assert [keeper.look() for _ in range(3)] == [True, True, False]
    assert [content(home, crop_id) for crop_id in ids] == [b"%d" % number for number in range(70)]
