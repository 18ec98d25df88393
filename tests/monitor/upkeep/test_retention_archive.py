"""Archived files go with their crops, and those that are still needed or cannot be deleted stay."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from monitor.errors import InputMissingError
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, MadeUp
from tests.support.old_decisions import OLD, change, present

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from monitor.configuration.resolved import Configuration


def archived(store: MadeUp, configuration: Configuration, name: str, at: datetime = OLD) -> tuple[int, Path]:
    assert configuration.archive is not None
    place = configuration.archive / "2026-01-01" / "ne_proliv" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    crop = store.crop(0.1, at=at)
    place.write_bytes(b"%d" % crop)
    change(store, crop, archived_path=str(place), sha256=hashlib.sha256(b"%d" % crop).hexdigest())
    return crop, place


def test_archived_files_go_with_their_crops(sqlite_store: MadeUp, configuration: Configuration) -> None:
    _, first = archived(sqlite_store, configuration, "1.jpg")
    labelled, second = archived(sqlite_store, configuration, "2.jpg")
    sqlite_store.label(labelled, "ne_proliv")
    alarm, third = archived(sqlite_store, configuration, "3.jpg")
    change(sqlite_store, alarm, verdict="proliv")
    young, fourth = archived(sqlite_store, configuration, "4.jpg", at=NOW)
    foreseen = prune(sqlite_store.database, configuration, 30, NOW, dry_run=True)
    assert all(path.exists() for path in (first, second, third, fourth))
    assert prune(sqlite_store.database, configuration, 30, NOW) == foreseen
    assert (foreseen.crops, foreseen.alarms, foreseen.files) == (1, 1, 2)
    assert [path.exists() for path in (first, second, third, fourth)] == [False, True, False, True]
    assert present(sqlite_store) == {labelled: True, alarm: False, young: True}


def test_another_crops_file_at_the_same_place_stays(sqlite_store: MadeUp, configuration: Configuration) -> None:
    """The camera overwrote the first crop before it was moved, with a picture of the same size."""
    _, place = archived(sqlite_store, configuration, "1.jpg")
    second, _ = archived(sqlite_store, configuration, "1.jpg")
    sqlite_store.label(second, "proliv")
    sqlite_store.crop(0.1)
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.files, done.undeleted) == (1, 0, 0)
    assert place.exists()


def test_a_crop_whose_archived_file_cannot_be_deleted_stays(
    sqlite_store: MadeUp, configuration: Configuration, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link in the way, which must not be followed."""
    crop, place = archived(sqlite_store, configuration, "1.jpg")
    sqlite_store.crop(0.1)
    place.parent.rename(tmp_path / "elsewhere")
    place.parent.symlink_to(tmp_path / "elsewhere")
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.undeleted) == (0, 1)
    assert (tmp_path / "elsewhere" / "1.jpg").exists()
    assert crop in present(sqlite_store)
    assert "cannot be deleted" in caplog.text
    place.parent.unlink()
    assert prune(sqlite_store.database, configuration, 30, NOW).crops == 1


def test_a_crop_whose_file_lies_in_the_inbox_stays(sqlite_store: MadeUp, configuration: Configuration) -> None:
    in_inbox, overwritten = sqlite_store.crop(0.1, at=OLD), sqlite_store.crop(0.1, at=OLD)
    newest = sqlite_store.crop(0.1)
    for crop in (in_inbox, overwritten):
        path = configuration.inbox / f"{crop}.jpg"
        path.write_bytes(b"1")
        mtime_ns = path.stat().st_mtime_ns - (crop == overwritten)
        change(sqlite_store, crop, path=str(path), mtime_ns=mtime_ns)
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.in_inbox) == (1, 1)
    assert present(sqlite_store).keys() == {in_inbox, newest}
    assert "1 old crops are kept because their files lie in the inbox" in done.sentence


def test_an_inbox_that_is_not_there_is_refused(sqlite_store: MadeUp, configuration: Configuration) -> None:
    sqlite_store.crop(0.1, at=OLD)
    configuration.inbox.rmdir()
    with pytest.raises(InputMissingError, match="there is no such folder"):
        prune(sqlite_store.database, configuration, 30, NOW)
