"""Failed files are moved as they are, without following links, and go back if they are written to after all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.errors import OutputError
from monitor.files import moving
from monitor.files.folders import UNFINISHED_PREFIX
from monitor.inbox import second_looks
from monitor.inbox.quarantine import Quarantine
from monitor.inbox.second_looks import SecondLooks
from tests.support.disks import below, replace_like, sha256
from tests.support.quarantined_inbox import READER, Here, both, wait_for_entries

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.files.moving import Place


@both
def test_a_failed_file_is_moved_into_a_folder_of_its_own(here: Here) -> None:
    for number in (1, 2):
        path = here.put("sub/1.jpg", b"bad")
        name = sha256(path)[:16] + ("" if number == 1 else "-2")
        assert here.fail(path) == here.folder / name / "1.jpg"
    assert below(here.inbox) == []
    assert [path.read_bytes() for path in below(here.folder)] == [b"bad", b"bad"]


@both
def test_a_file_that_changes_before_it_is_moved_stays(here: Here) -> None:
    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    path.write_bytes(b"longer")
    assert here.quarantine.take(path, content.sha256, content.looks) is None
    path.unlink()
    assert here.quarantine.take(path, content.sha256, content.looks) is None
    assert below(here.folder) == []


@both
def test_what_comes_while_a_failed_file_is_quarantined_is_not(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    rename = moving.rename

    def exchange(source: Place, target: Place) -> None:
        monkeypatch.setattr(moving, "rename", rename)
        replace_like(path, b"new")
        rename(source, target)

    monkeypatch.setattr(moving, "rename", exchange)
    assert here.quarantine.take(path, content.sha256, content.looks) is None
    assert (path.read_bytes(), below(here.inbox), below(here.folder)) == (b"new", [path], [])
    assert list(here.folder.iterdir()) == []


@both
def test_what_comes_after_a_failed_file_was_moved_stays(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.put("1.jpg", b"bad")
    digest = moving.digest

    def write(place: Place) -> str | None:
        path.write_bytes(b"next")
        return digest(place)

    monkeypatch.setattr(moving, "digest", write)
    moved = here.fail(path)
    assert (path.read_bytes(), moved.read_bytes()) == (b"next", b"bad")


def test_a_folder_that_is_replaced_by_a_link_is_not_entered(here: Here, tmp_path: Path) -> None:
    path = here.put("sub/1.jpg", b"bad")
    content = READER.load(path)
    (here.inbox / "sub").rename(tmp_path / "precious")
    (here.inbox / "sub").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match=r"sub/1\.jpg: cannot be moved to .*quarantine: Not a directory"):
        here.quarantine.take(path, content.sha256, content.looks)
    assert (tmp_path / "precious" / "1.jpg").read_bytes() == b"bad"
    assert below(here.folder) == []


def test_a_folder_that_a_file_is_about_to_be_moved_into_is_not_removed(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files fail while a quarantine from before the start is still looked through."""
    make = Quarantine._new_folder

    def new_folder(quarantine: Quarantine, name: str) -> Path:
        made = make(quarantine, name)
        here.looks._recover()
        return made

    monkeypatch.setattr(Quarantine, "_new_folder", new_folder)
    assert here.fail(here.put("1.jpg", b"bad")).read_bytes() == b"bad"


@pytest.mark.process
@pytest.mark.parametrize("here", ["another disk"], indirect=True)
def test_a_file_that_is_on_the_way_to_another_disk_is_not_taken_for_one_that_a_crash_left(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking through a large inbox at the start takes long, and files fail meanwhile."""
    copy_open = moving.copy_open

    def copy(reader: int, target: Place) -> None:
        here.looks._give_back_on_the_way()
        copy_open(reader, target)

    monkeypatch.setattr(moving, "copy_open", copy)
    moved = here.fail(here.put("1.jpg", b"bad"))
    assert (below(here.inbox), below(here.folder)) == ([], [moved])


def test_what_a_crash_cut_off_is_not_put_into_the_inbox(here: Here) -> None:
    moved = here.fail(here.put("1.jpg", b"bad"))
    here.stop()
    cut_off = moved.with_name(f"{UNFINISHED_PREFIX}1")
    cut_off.write_bytes(b"b")
    SecondLooks(here.inbox, here.folder, here.database)._recover()
    assert (below(here.inbox), below(here.folder)) == ([], sorted([moved, cut_off]))


@pytest.mark.process
@pytest.mark.parametrize("here", ["another disk"], indirect=True)
@pytest.mark.parametrize("step", ["copy_open", "digest"])
def test_what_fails_on_the_way_to_another_disk_stays(here: Here, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    monkeypatch.setattr(moving, step, refuse)
    with pytest.raises(OutputError, match="No space left on device"):
        here.quarantine.take(path, content.sha256, content.looks)
    assert (below(here.inbox), below(here.folder)) == ([path], [])


@pytest.mark.process
@pytest.mark.parametrize("here", ["another disk"], indirect=True)
def test_a_copy_on_another_disk_stays_where_it_is_all_there_is(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a share deletes the original and then says that it could not."""
    unlink = os.unlink

    def delete(path: str, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        raise OSError(5, "Input/output error")

    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", delete)
        with pytest.raises(OutputError, match="Input/output error"):
            here.quarantine.take(path, content.sha256, content.looks)
    assert [one.read_bytes() for one in below(here.folder)] == [b"bad"]


@pytest.mark.process
@pytest.mark.parametrize("here", ["another disk"], indirect=True)
def test_only_so_many_deleted_files_are_kept_open(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_looks, "MOST_OPEN", 2)
    for number in range(4):
        here.fail(here.put(f"{number}.jpg", b"%d" % number))
    kept = [entry[2].file for entry in wait_for_entries(here, 2)]
    assert {file.path.name for file in kept} == {"2.jpg", "3.jpg"}
