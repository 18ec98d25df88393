"""Of an inbox whose decided files are deleted, the last ones of each hole are set aside until newer ones come."""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING

from monitor.configuration.file import load
from monitor.keeping.keeper import LARGEST_BYTES, Keeper
from monitor.store import kept
from tests.support.disks import below

if TYPE_CHECKING:
    import pytest

    from tests.monitor.inbox.conftest import MakeInbox
    from tests.support.decided_inbox import DecidedInbox


def aside(home: DecidedInbox) -> dict[int, bytes]:
    return {int(path.name): path.read_bytes() for path in below(home.configuration.state / "recent")}


def decide(home: DecidedInbox, name: str, **changes: object) -> int:
    return home.decide(home.put(name, name.encode()), planned=False, **changes)


def test_the_last_files_of_each_hole_are_set_aside(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    ids = [decide(home, f"{number}.jpg", hole=number % 2) for number in range(12)]
    unknown = decide(home, "no-hole.jpg", hole=None)
    tidier = home.tidier()
    tidier._sweep()
    assert below(home.inbox) == []
    assert sorted(aside(home)) == ids[-6:]
    assert aside(home)[ids[-1]] == b"11.jpg"
    assert unknown not in aside(home)
    assert home.outcomes == {"deleted": 13}
    newer = decide(home, "newer.jpg", hole=1)
    tidier._sweep()
    assert sorted(aside(home)) == [ids[6], *ids[8:11], ids[11], newer]


def test_they_are_taken_up_after_a_restart_and_what_is_unknown_goes(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    ids = [decide(home, f"{number}.jpg") for number in range(3)]
    home.tidy()
    folder = home.configuration.state / "recent"
    (folder / "999999").write_bytes(b"of a crop that retention has deleted")
    (folder / "5.part").write_bytes(b"cut o")
    # The database may be a restored one, whose crops have these ids.
    other = decide(home, "no-hole.jpg", hole=None)
    (folder / str(other)).write_bytes(b"of another crop")
    newer = decide(home, "newer.jpg")
    home.tidy()
    assert sorted(aside(home)) == [*ids[1:], newer]


def test_a_due_file_is_neither_taken_out_of_the_inbox_nor_replaced(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    first, *others = (decide(home, f"{number}.jpg") for number in range(3))
    tidier = home.tidier()
    tidier._sweep()
    due = decide(home, "due.jpg")
    with home.database.write() as connection:
        kept.owe(connection, [first, due])
    for number in range(3):
        decide(home, f"newer{number}.jpg")
    tidier._sweep()
    assert [path.name for path in below(home.inbox)] == ["due.jpg"]
    assert first in aside(home)
    assert others[0] not in aside(home)
    Keeper(home.database, home.configuration).look()
    tidier._sweep()
    assert below(home.inbox) == []
    assert first not in aside(home)
    with home.database.read() as connection:
        assert {found for _, found in kept.contents_after(connection, "", 9)} == {b"0.jpg", b"due.jpg"}


def test_a_due_claim_that_a_crash_left_is_kept_before_it_goes(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    crop_id = decide(home, "1.jpg", hole=None)
    (home.inbox / "1.jpg").rename(home.inbox / f".{crop_id}.monitor-claim")
    with home.database.write() as connection:
        kept.owe(connection, [crop_id])
    tidier = home.tidier()
    tidier._sweep()
    assert len(below(home.inbox)) == 1
    Keeper(home.database, home.configuration).look()
    tidier._sweep()
    assert below(home.inbox) == []
    with home.database.read() as connection:
        assert kept.kept_of(connection, [crop_id])[crop_id].state == "kept"


def test_nothing_is_set_aside_where_none_is_wanted_or_it_is_huge(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    home.decide(home.put("huge.bmp", bytes(LARGEST_BYTES + 1)), planned=False)
    home.tidy()
    assert below(home.inbox) == below(home.configuration.state / "recent") == []
    home.file.write_text(home.file.read_text() + "\n[alarms]\nevidence_crops = 0\n")
    home.configuration = load(home.file)
    decide(home, "1.jpg")
    home.tidy()
    assert below(home.inbox) == below(home.configuration.state / "recent") == []


def test_a_folder_that_cannot_be_written_keeps_files_in_the_inbox(
    decided_inbox: MakeInbox, caplog: pytest.LogCaptureFixture
) -> None:
    home = decided_inbox("delete")
    decide(home, "1.jpg")
    (home.configuration.state / "recent").write_text("in the way")
    tidier = home.tidier()
    tidier._sweep()
    assert [path.name for path in below(home.inbox)] == ["1.jpg"]
    assert "cannot be deleted" in caplog.text
    (home.configuration.state / "recent").unlink()
    tidier._trouble = False
    tidier._sweep()
    assert below(home.inbox) == []
    assert len(aside(home)) == 1


def test_another_disk(decided_inbox: MakeInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def refuse(source: str, target: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        if src_dir_fd != dst_dir_fd:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    home = decided_inbox("delete")
    crop_id = decide(home, "1.jpg")
    monkeypatch.setattr(os, "rename", refuse)
    home.tidy()
    assert aside(home) == {crop_id: b"1.jpg"}
    assert below(home.inbox) == []


def test_a_full_disk_loses_nothing_and_keeps_no_part(
    decided_inbox: MakeInbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rename = os.rename
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def refuse(source: str, target: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        if src_dir_fd != dst_dir_fd:
            # The file will be copied: a write beyond this fails, as one to a full disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    home = decided_inbox("delete")
    path = home.put("1.jpg", bytes(9000))
    crop_id = home.decide(path, planned=False)
    monkeypatch.setattr(os, "rename", refuse)
    try:
        home.tidy()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be deleted" in caplog.text
    assert home.outcomes == {"failed": 1}
    assert below(home.inbox) == [path]
    assert path.read_bytes() == bytes(9000)
    assert below(home.configuration.state / "recent") == []
    monkeypatch.setattr(os, "rename", rename)
    home.tidy()
    assert aside(home) == {crop_id: bytes(9000)}
