"""A file in the quarantine is looked at again, and goes back if it was written to since."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import OutputError
from monitor.files import moving
from monitor.harness.waiting import wait_until
from monitor.inbox.quarantine import hidden_name
from monitor.inbox.second_looks import FOLDER, ON_THE_WAY
from tests.support.disks import below, sha256
from tests.support.quarantined_inbox import READER, Here, both, wait_for_entries


@both
@pytest.mark.parametrize("name", ["1.jpg", "sub/1.jpg"])
def test_a_file_that_is_written_to_after_it_was_moved_goes_back(
    here: Here, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = here.put(name, b"")
    with path.open("wb", buffering=0) as file:
        file.write(b"half a ")
        moved = here.fail(path)
        assert moved.exists()
        assert not path.exists()
        file.write(b"picture")
        wait_until(path.exists)
        file.write(b" and more")
        wait_until(lambda: any(one.read_bytes() == b"half a picture and more" for one in below(here.inbox)))
    wait_until(lambda: "was written to after it was moved here as failed" in caplog.text)
    # What still lies there is what its folder's name says.
    assert all(sha256(one).startswith(one.parent.name[:16]) for one in below(here.folder))


@both
def test_a_file_that_is_left_alone_or_only_gets_other_permissions_stays(here: Here) -> None:
    moved = here.fail(here.put("1.jpg", b"bad"))
    moved.chmod(0o640)
    (watched,) = (entry[2] for entry in wait_for_entries(here, 1))
    wait_until(lambda: watched.pause >= 0.4)
    here.restart()
    wait_for_entries(here, 1)
    assert (below(here.inbox), below(here.folder)) == ([], [moved])
    # One that a person takes away is forgotten.
    moved.unlink()
    wait_for_entries(here, 0)


def test_another_file_under_its_name_is_not_replaced(here: Here) -> None:
    path = here.put("1.jpg", b"half")
    with path.open("ab", buffering=0) as file:
        here.fail(path)
        path.write_bytes(b"the next one")
        file.write(b" and half")
        wait_until(lambda: len(below(here.inbox)) == 2)
    contents = {one.read_bytes(): one.name for one in below(here.inbox)}
    assert contents[b"the next one"] == "1.jpg"
    assert contents[b"half and half"].startswith("1-")


def test_what_is_written_while_nothing_looks_is_found_at_the_next_start(here: Here) -> None:
    path = here.put("sub/1.jpg", b"half")
    unknown = here.put("2.jpg", b"half of another")
    with path.open("ab", buffering=0) as file, unknown.open("ab", buffering=0) as other:
        moved, second = here.fail(path), here.fail(unknown, stored=False)
        untouched = here.fail(here.put("3.jpg", b"bad"))
        here.stop()
        file.write(b" and half")
        other.write(b" and half")
    for one in (moved, second, untouched):
        # As of yesterday: only what has changed since is read.
        os.utime(one.parent, (1, 1)) if one is untouched else os.utime(one.parent)
    old = untouched.parent.stat().st_mtime_ns
    for one in (moved, second):
        os.utime(one.parent, ns=(old, old))
        os.utime(one, ns=(old, old))  # as `cp -p` leaves it
    here.restart()
    wait_until(lambda: len(below(here.inbox)) == 2)
    assert path.read_bytes() == b"half and half"
    assert unknown.read_bytes() == b"half of another and half"
    assert below(here.folder) == [untouched]


@both
def test_what_is_written_until_the_end_is_not_left_behind(here: Here) -> None:
    path = here.put("1.jpg", b"half")
    with path.open("ab", buffering=0) as file:
        here.fail(path)
        file.write(b" and half")
    here.stop()
    assert path.read_bytes() == b"half and half"


def test_many_files_of_the_same_content_are_moved_without_trying_all_names(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a camera with a full disk writes zeros alone: the writer of decisions waits for each."""
    tried: list[Path] = []
    make = Path.mkdir

    def mkdir(folder: Path, *arguments: Any, **options: Any) -> None:
        tried.append(folder)
        make(folder, *arguments, **options)

    for number in range(60):
        here.fail(here.put(f"{number}.jpg", b"bad"), stored=False)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    moved = here.fail(here.put("60.jpg", b"bad"), stored=False)
    assert len([folder for folder in tried if folder.parent == here.folder]) < 20
    assert FOLDER.fullmatch(moved.parent.name)


def test_what_cannot_be_read_once_it_is_moved_stays(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    monkeypatch.setattr(moving, "digest", refuse)
    with pytest.raises(OutputError, match="Input/output error"):
        here.quarantine.take(path, content.sha256, content.looks)
    assert (below(here.inbox), below(here.folder)) == ([path], [])


@pytest.mark.parametrize("name", ["1.jpg", "n" * 251 + ".jpg", "Лунка" * 25 + ".jpg"])
def test_a_file_that_a_crash_left_on_the_way_gets_its_name_back(here: Here, name: str) -> None:
    here.stop()
    hidden = here.inbox / hidden_name(name)
    hidden.write_bytes(b"bad")
    here.restart()
    wait_until(lambda: not hidden.exists())
    (found,) = below(here.inbox)
    assert found.suffix == ".jpg"
    assert not found.name.endswith(ON_THE_WAY)
    assert (found.name == name) == (len(os.fsencode(name)) <= 230)


def test_one_file_on_the_way_that_cannot_get_its_name_back_holds_up_no_other(here: Here) -> None:
    """Anyone who may write into the inbox chooses names there, such as one that leaves nothing to be given back."""
    here.stop()
    for number in range(5):
        here.put(f"{number}/{ON_THE_WAY}", b"odd")
        here.put(f"{number}/.1.jpg{ON_THE_WAY}", b"bad")
    here.folder.mkdir()
    changed = here.folder / sha256(here.put("2.jpg", b"bad"))[:16] / "2.jpg"
    changed.parent.mkdir()
    (here.inbox / "2.jpg").rename(changed)
    changed.write_bytes(b"written to")
    here.restart()
    wait_until((here.inbox / "2.jpg").exists)
    assert all((here.inbox / str(number) / "1.jpg").exists() for number in range(5))


def test_a_quarantine_is_looked_at_though_the_inbox_is_away(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    moved = here.fail(here.put("1.jpg", b"bad"))
    here.stop()
    away = here.inbox.rename(here.inbox.with_name("away"))
    here.restart()
    wait_until(lambda: bool(here.looks._due))
    assert "no such folder" in caplog.text
    away.rename(here.inbox)
    moved.write_bytes(b"written to")
    wait_until((here.inbox / "1.jpg").exists)


@pytest.mark.parametrize("is_old", [False, True])
def test_what_cannot_be_put_back_at_the_start_is_put_back_later(
    here: Here, is_old: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As while the inbox is full, or its share may not be written to."""
    moved = here.fail(here.put("sub/1.jpg", b"bad"))
    here.stop()
    moved.write_bytes(b"written to")
    if is_old:
        os.utime(moved.parent, (1, 1))
    give_back = moving.give_back

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(moving, "give_back", refuse)
    here.restart()
    wait_until(lambda: "cannot be put back into the inbox: Read-only file system; tried again" in caplog.text)
    monkeypatch.setattr(moving, "give_back", give_back)
    wait_until((here.inbox / "sub" / "1.jpg").exists)
    assert (here.inbox / "sub" / "1.jpg").read_bytes() == b"written to"
    wait_until(lambda: not moved.parent.exists())


def test_an_old_file_that_only_got_other_permissions_is_looked_at_once(here: Here) -> None:
    moved = here.fail(here.put("1.jpg", b"bad"))
    here.stop()
    os.utime(moved.parent, (1, 1))
    moved.chmod(0o640)
    here.restart()
    wait_for_entries(here, 1)
    wait_for_entries(here, 0)
    assert (below(here.inbox), below(here.folder)) == ([], [moved])


def test_a_folder_that_a_person_has_removed_is_no_trouble(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    moved = here.fail(here.put("1.jpg", b"bad"))
    moved.unlink()
    moved.parent.rmdir()
    wait_until(lambda: not here.looks._due and here.looks._mailbox.empty())
    here.stop()
    assert caplog.text == ""
