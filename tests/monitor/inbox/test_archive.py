"""Where decided files are archived: real files, a real store."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import select

from monitor.files.text import to_text
from monitor.inbox.archive import Archive
from monitor.labels import pictures
from monitor.store import crops as store_crops
from monitor.store.database.schema import crops
from tests.support.decided_inbox import DAY
from tests.support.disks import below, sha256

if TYPE_CHECKING:
    from tests.monitor.inbox.conftest import MakeInbox


def test_a_day_is_that_of_the_plants_clock() -> None:
    archive = Archive(Path("/archive"), ZoneInfo("Asia/Kamchatka"))
    moment = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert archive.place(moment, "proliv", "1.jpg") == Path("/archive/2027-01-01/proliv/1.jpg")
    assert archive.place(moment - timedelta(days=1), "proliv", "1.jpg").parts[2] == "2026-12-31"


def test_the_archive_is_sorted_by_the_plants_day_and_verdict(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    path = here.put("sub/Ö \n.jpg", b"one")
    os.utime(path, ns=(1, 1_600_000_000_000_000_001))
    number = here.decide(path)
    here.tidy()
    target = here.archive / DAY / "ne_proliv" / "Ö \n.jpg"
    assert (below(here.archive), below(here.inbox)) == ([target], [])
    assert here.places() == {number: to_text(target)}
    assert target.stat().st_mtime_ns == 1_600_000_000_000_000_001
    assert here.outcomes == {"archived": 1}


def test_files_from_before_the_archive_was_switched_on_or_moved_are_archived_too(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    here.decide(here.put("1.jpg", b"one"), planned=False)
    second = here.put("2.jpg", b"two")
    here.decide(second, archived_path="/elsewhere/2026-03-03/ne_proliv/2.jpg")
    here.tidy()
    assert here.archived() == {f"{DAY}/ne_proliv/1.jpg": b"one", f"{DAY}/ne_proliv/2.jpg": b"two"}
    assert set(here.places().values()) == {str(path) for path in below(here.archive)}


def test_names_that_meet_in_the_archive_stay_apart(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    long = "x" * 251 + ".jpg"
    for name, content in {
        "a/1.jpg": b"one", "b/1.jpg": b"two", "c/1.jpg": b"one", "d/1.jpg": b"one", f"a/{long}": b"three",
        f"b/{long}": b"four",
    }.items():  # fmt: skip
        here.decide(here.put(name, content))
    here.tidy()
    assert below(here.inbox) == []
    assert sorted(here.archived().values()) == sorted([b"one", b"one", b"one", b"two", b"three", b"four"])
    # Each crop has a place of its own, with its own content.
    with here.database.read() as connection:
        rows = connection.execute(select(crops.c.sha256, crops.c.archived_path)).all()
    assert {row.archived_path for row in rows} == {str(path) for path in below(here.archive)}
    assert all(sha256(Path(row.archived_path)) == row.sha256 for row in rows)


def test_a_file_that_comes_once_more_is_archived_once(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    here.decide(here.put("1.jpg", b"one"))
    here.tidy()
    again = here.put("1.jpg", b"one")
    here.decide(again)
    here.tidy()
    assert below(here.inbox) == []
    assert list(here.archived().values()) == [b"one"]


def test_nothing_is_written_through_a_link_in_the_archive(decided_inbox: MakeInbox, tmp_path: Path) -> None:
    here = decided_inbox("archive")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here.archive.mkdir()
    (here.archive / DAY).symlink_to(elsewhere)
    path = here.put("1.jpg", b"one")
    here.decide(path)
    here.tidy()
    assert (below(elsewhere), path.read_bytes()) == ([], b"one")
    assert here.outcomes == {"failed": 1}


def test_a_labelled_crop_is_scored_from_the_archive(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    number = here.decide(here.put("1.jpg", b"one"))
    here.tidy()
    with here.database.write() as connection:
        found = pictures.places_of(connection, [store_crops.crop_by_id(connection, number)])  # type: ignore[list-item]
    assert [Path(place).exists() for place in found[hashlib.sha256(b"one").hexdigest()]] == [False, True]
