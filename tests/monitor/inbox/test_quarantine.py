"""Failed files are moved as they are, without following links, and go back if they are written to after all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.crops.loader import CropReader
from monitor.errors import OutputError
from monitor.files import moving
from monitor.files.folders import UNFINISHED_PREFIX
from monitor.harness.waiting import wait_until
from monitor.inbox import second_looks
from monitor.inbox.quarantine import Quarantine, hidden_name
from monitor.inbox.second_looks import FOLDER, ON_THE_WAY, SecondLooks
from monitor.store.database.engine import Database
from monitor.store.decisions import record
from monitor.threads import TimedThread
from tests.support.disks import below, replace_like, sha256, small_disk
from tests.support.stored_crops import crop, failed
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.files.moving import Place

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


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        yield disk / "quarantine"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Here]:
    """With the quarantine in the same file system, or where a test is parametrized so on another disk."""
    monkeypatch.setattr(second_looks, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(second_looks, "QUIET_SECONDS", 0.2)
    on_disk = getattr(request, "param", "same") == "another disk"
    made = Here(tmp_path, request.getfixturevalue("elsewhere") if on_disk else None)
    yield made
    made.stop()
    made.database.close()


both = pytest.mark.parametrize("here", ["same", pytest.param("another disk", marks=pytest.mark.process)], indirect=True)


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


def wait_for_entries(here: Here, count: int) -> list[Any]:
    wait_until(lambda: len(here.looks._due) == count and here.looks._mailbox.empty())
    return list(here.looks._due)


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


def test_what_cannot_be_read_once_it_is_moved_stays(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    path = here.put("1.jpg", b"bad")
    content = READER.load(path)
    monkeypatch.setattr(moving, "digest", refuse)
    with pytest.raises(OutputError, match="Input/output error"):
        here.quarantine.take(path, content.sha256, content.looks)
    assert (below(here.inbox), below(here.folder)) == ([path], [])


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


@pytest.mark.process
@pytest.mark.parametrize("here", ["another disk"], indirect=True)
def test_only_so_many_deleted_files_are_kept_open(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_looks, "MOST_OPEN", 2)
    for number in range(4):
        here.fail(here.put(f"{number}.jpg", b"%d" % number))
    kept = [entry[2].file for entry in wait_for_entries(here, 2)]
    assert {file.path.name for file in kept} == {"2.jpg", "3.jpg"}
