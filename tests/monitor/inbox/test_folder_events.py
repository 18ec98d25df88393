"""The kernel's own events of real folders, and how many of them there are."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD

from monitor.files.ignoring import NOTHING, IgnoredNames
from monitor.files.walking import LONGEST_PATH_BYTES
from monitor.harness.waiting import wait_until
from monitor.inbox.folder_events import FolderEvents
from tests.support.disks import make_deep_folder, remove_deep_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_OF_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


class Told(FolderEvents):
    """The events of one folder, with what was told of and how many came of each kind."""

    def __init__(self, folder: Path, ignored: IgnoredNames) -> None:
        self.paths: list[str] = []
        self.kinds: Counter[int] = Counter()
        super().__init__(folder, self.paths.append, ignored)

    def handle_event(self, event: InotifyEvent) -> None:
        self.kinds[event.mask] += 1
        super().handle_event(event)

    def until(self, path: Path) -> None:
        """Wait until a new file, which is made at this path, is told of: whatever came before it has been then."""
        path.symlink_to("anywhere")
        wait_until(lambda: str(path) in self.paths)


@pytest.fixture
def observe() -> Iterator[Callable[..., Told]]:
    running: list[Told] = []

    def begin(folder: Path, ignored: IgnoredNames = NOTHING) -> Told:
        events = Told(folder, ignored)
        running.append(events)
        events.start()
        events.watch()
        return events

    yield begin
    for events in running:
        events.stop()
        events.join()
        assert events.ended_by is None


def test_what_the_program_itself_renames_and_deletes_costs_one_event_at_most(
    observe: Callable[..., Told], tmp_path: Path
) -> None:
    """The kernel keeps no event of what leaves, and a file that comes is told of once."""
    events = observe(tmp_path)
    count = 200
    for number in range(count):
        part, crop = tmp_path / f".{number}.part", tmp_path / f"{number}.jpg"
        part.write_bytes(b"x")
        part.rename(crop)
    for number in range(count):
        claim = tmp_path / f".{number}.monitor-claim"
        (tmp_path / f"{number}.jpg").rename(claim)
        claim.unlink()
    events.until(tmp_path / "last.jpg")
    assert events.paths == [f"{tmp_path}/{number}.jpg" for number in range(count)] + [f"{tmp_path}/last.jpg"]
    assert events.kinds == {
        InotifyConstants.IN_CREATE: count + 1,
        InotifyConstants.IN_CLOSE_WRITE: count,
        InotifyConstants.IN_MOVED_TO: 2 * count,
    }


def test_folders_that_come_are_watched_with_what_lies_in_them(observe: Callable[..., Told], tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    (inbox / "old" / "day").mkdir(parents=True)
    (outside / "day").mkdir(parents=True)
    (outside / "day" / "1.jpg").write_bytes(b"x")
    events = observe(inbox)
    outside.rename(inbox / "new")
    events.until(inbox / "new" / "day" / "2.jpg")
    (inbox / "made" / "here").mkdir(parents=True)
    events.until(inbox / "made" / "here" / "3.jpg")
    events.until(inbox / "old" / "day" / "4.jpg")
    assert events.paths[0] == f"{inbox}/new/day/1.jpg"


def test_a_folder_that_is_renamed_is_told_of_by_its_new_name_and_once(
    observe: Callable[..., Told], tmp_path: Path
) -> None:
    (tmp_path / "old" / "day").mkdir(parents=True)
    events = observe(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new").rename(tmp_path / "newer")
    events.until(tmp_path / "0.jpg")
    events.until(tmp_path / "newer" / "day" / "1.jpg")
    events.until(tmp_path / "newer" / "2.jpg")
    assert events.paths == [f"{tmp_path}/{name}" for name in ("0.jpg", "newer/day/1.jpg", "newer/2.jpg")]
    assert len(events._watched) == 3


def test_hidden_and_ignored_folders_take_no_watch_and_links_are_not_followed(
    observe: Callable[..., Told], tmp_path: Path
) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    outside.mkdir()
    (inbox / ".~tmp~").mkdir(parents=True)
    (inbox / "@eaDir").mkdir()
    (inbox / "link").symlink_to(outside)
    events = observe(inbox, IgnoredNames(["@eaDir"]))
    for folder in (".Trash", "@EADIR"):
        (inbox / folder).mkdir()
    (inbox / "later").symlink_to(outside)
    (outside / "1.jpg").write_bytes(b"x")
    events.until(inbox / "2.jpg")
    assert events.paths == [f"{inbox}/later", f"{inbox}/2.jpg"]
    assert len(events._watched) == 1


@pytest.mark.process
def test_folders_nested_deeper_than_paths_may_be_long_are_watched_as_far_as_these_go(
    observe: Callable[..., Told], tmp_path: Path
) -> None:
    os.close(make_deep_folder(tmp_path, 2200))
    try:
        events = observe(tmp_path)
        paths = [watched.path for watched in events._watched.values()]
        assert 1000 < len(paths) < 2200
        # There has to be room for the name of a file.
        deepest = max((path for path in paths if len(path) < LONGEST_PATH_BYTES - 10), key=len)
        events.until(Path(deepest) / "1.jpg")
        assert events.lacks is None
    finally:
        remove_deep_folder(tmp_path)


def test_folders_that_come_while_the_kernel_drops_events_are_watched(tmp_path: Path) -> None:
    limit = int(LIMIT_OF_QUEUE.read_text())
    if limit > 100_000:
        pytest.skip(f"{LIMIT_OF_QUEUE}: {limit} events are too many to make here")
    paths: list[str] = []
    waits, goes_on = threading.Event(), threading.Event()

    def tell(path: str) -> None:
        waits.set()
        goes_on.wait()
        paths.append(path)

    events = FolderEvents(tmp_path, tell)
    events.start()
    events.watch()
    files = [tmp_path / "1.jpg", tmp_path / "2.jpg"]
    files[0].symlink_to("2.jpg")
    waits.wait()
    files[0].unlink()
    for number in range(limit):  # the last of them are too many, as it takes two to create and close a file
        files[number % 2].write_bytes(b"")
    (tmp_path / "folder").mkdir()
    goes_on.set()
    wait_until(lambda: len(events._watched) == 2)
    (tmp_path / "folder" / "3.jpg").write_bytes(b"x")
    wait_until(lambda: f"{tmp_path}/folder/3.jpg" in paths)
    events.stop()
    events.join()


@pytest.mark.parametrize("folder", ["", "folder"])
def test_the_thread_ends_when_its_own_folder_is_removed(
    observe: Callable[..., Told], tmp_path: Path, folder: str
) -> None:
    (tmp_path / "inbox" / "folder").mkdir(parents=True)
    events = observe(tmp_path / "inbox" / folder)
    (tmp_path / "inbox" / "folder").rmdir()
    if folder:
        events.join()
    else:
        wait_until(lambda: len(events._watched) == 1)
        events.until(tmp_path / "inbox" / "1.jpg")


def test_a_folder_that_may_not_be_read_is_an_error_and_one_within_it_is_left_out(
    observe: Callable[..., Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind root, so the kernel's answer is played, which watchdog does not raise."""
    add = InotifyFD.add_callback
    refused = str(tmp_path / "folder").encode()

    def answer(events: FolderEvents, path: bytes, *arguments: Any) -> Any:
        return -1 if path == refused else add(events, path, *arguments)

    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(InotifyFD, "add_callback", answer)
    events = observe(tmp_path)
    assert len(events._watched) == 1
    refused = str(tmp_path).encode()
    with pytest.raises(PermissionError) as error:
        events.watch()
    assert error.value.errno == errno.EACCES
