"""The watcher alone: real folders, real kernel events, a pipeline that is played by the test."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from threading import Event
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.settings import Watch
from monitor.errors import ExitCode, StoreBusyError, StoreError, StoreReplacedError
from monitor.files.looks import look
from monitor.harness.waiting import wait_until
from monitor.inbox import retries, watcher
from monitor.inbox.ledger import Waiting
from monitor.inbox.messages import Candidate, Done, Incomplete, Stop
from monitor.inbox.watcher import Watcher
from monitor.threads import TimedThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PATIENCE_SECONDS = 20.0


class Pipeline:
    """Stands for the stages after the watcher: keeps what is delivered, and what the store would know."""

    def __init__(self, inbox: Path, **settings: float) -> None:
        self.delivered: deque[Candidate] = deque()
        self.known: set[str] = set()
        self.lookups = 0
        self.again: list[bool] = []
        self.fails = False
        self.error: StoreError = StoreBusyError("locked")
        self.died: list[ExitCode] = []
        self.scans_ended: deque[bool] = deque()
        self.works: set[float | None] = set()
        self.watcher = Watcher(
            inbox,
            Watch(**settings),
            unknown=self._unknown,
            deliver=self._deliver,
            scanned=self.scans_ended.append,
        )
        self.full = Event()
        self.stuck = Event()
        self.thread = TimedThread("watcher", self.watcher.run, self.died.append)

    def _unknown(self, paths: Sequence[str], *, again: bool, alive: Callable[[], None]) -> Sequence[str]:
        self.lookups += 1
        self.again.append(again)
        self.works.add(self.thread.busy_since)
        while self.stuck.is_set():
            time.sleep(0.005)
        if self.fails:
            raise self.error
        return [path for path in paths if path not in self.known]

    def _deliver(self, candidate: Candidate) -> bool:
        while self.full.is_set():
            time.sleep(0.005)
        self.delivered.append(candidate)
        return True

    def take(self) -> Candidate:
        wait_until(lambda: bool(self.delivered))
        return self.delivered.popleft()

    def finish(self, candidate: Candidate) -> None:
        self.known.add(candidate.path)
        self.watcher.mailbox.put(Done(candidate.path, look(candidate.path)))

    def put_off(self, candidate: Candidate) -> None:
        self.watcher.mailbox.put(Incomplete(candidate.path, look(candidate.path)))

    def without_events(self) -> None:
        """Play a kernel that tells nothing."""
        self.watcher.nudges.observe = lambda: None  # type: ignore[method-assign]
        self.watcher.nudges.unobserve()

    def scans(self, count: int) -> None:
        """Wait until the folder was looked over ``count`` times more (a look-up for each, as it holds few crops)."""
        wanted = self.lookups + count
        wait_until(lambda: self.lookups >= wanted)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    running: list[Pipeline] = []

    def run(**settings: float) -> Pipeline:
        pipeline = Pipeline(tmp_path / "inbox", **settings)
        pipeline.thread.start()
        running.append(pipeline)
        wait_until(lambda: (tmp_path / "inbox").is_dir() and pipeline.watcher.nudges.is_observing())
        return pipeline

    yield run
    for pipeline in running:
        pipeline.watcher.mailbox.put(Stop())
        pipeline.full.clear()
        pipeline.thread.join(PATIENCE_SECONDS)
        assert not pipeline.thread.is_alive()


# A scan so rare that whatever arrives was told by an event.
EVENTS_ALONE = {"scan_seconds": 3600.0}


def test_a_missing_inbox_is_made(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    start(**EVENTS_ALONE)
    assert (tmp_path / "inbox").is_dir()


def test_crops_from_before_the_start_are_found_once(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    old = tmp_path / "inbox" / "sub" / "old.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x")
    pipeline = start(scan_seconds=0.05)
    candidate = pipeline.take()
    assert candidate == Candidate(str(old))
    pipeline.finish(candidate)
    pipeline.scans(3)
    assert not pipeline.delivered


def test_a_crop_in_flight_is_not_delivered_twice(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "one.jpg").write_bytes(b"x")
    pipeline = start(scan_seconds=0.05)
    pipeline.take()
    pipeline.scans(3)
    assert not pipeline.delivered


@pytest.mark.parametrize("how", ["written", "renamed within", "renamed from outside", "linked", "in a new folder"])
def test_an_event_tells_of_a_new_crop(start: Callable[..., Pipeline], tmp_path: Path, how: str) -> None:
    pipeline = start(**EVENTS_ALONE)
    inbox = tmp_path / "inbox"
    target = inbox / "crop.jpg"
    if how == "written":
        target.write_bytes(b"x")
    elif how == "renamed within":
        (inbox / "crop.part").write_bytes(b"x")
        (inbox / "crop.part").rename(target)
    elif how == "renamed from outside":
        (tmp_path / "crop.jpg").write_bytes(b"x")
        (tmp_path / "crop.jpg").rename(target)
    elif how == "linked":
        (tmp_path / "crop.jpg").write_bytes(b"x")
        target.hardlink_to(tmp_path / "crop.jpg")
    else:
        target = inbox / "new" / "deep" / "crop.jpg"
        target.parent.mkdir(parents=True)
        time.sleep(0.2)  # the kernel has to be asked to watch the new folder first; else only a scan finds it
        target.write_bytes(b"x")
    assert pipeline.take().path == str(target)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden.jpg", "crop.jpg.tmp", ".~tmp~/crop.jpg"])
def test_other_files_are_left_alone(start: Callable[..., Pipeline], tmp_path: Path, name: str) -> None:
    pipeline = start(scan_seconds=0.05)
    other = tmp_path / "inbox" / name
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(b"x")
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    candidate = pipeline.take()
    assert candidate.path == f"{tmp_path}/inbox/crop.jpg"
    pipeline.finish(candidate)
    pipeline.scans(2)
    assert not pipeline.delivered


def test_a_file_that_is_changed_while_it_is_read_is_delivered_again(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    pipeline = start(**EVENTS_ALONE)
    path = tmp_path / "inbox" / "crop.jpg"
    path.write_bytes(b"first")
    candidate = pipeline.take()
    seen = look(path)
    path.write_bytes(b"second, longer")
    time.sleep(0.2)  # the event has to be in the mailbox before the answer is
    pipeline.watcher.mailbox.put(Done(str(path), seen))
    assert pipeline.take().path == candidate.path


def test_an_event_about_a_decided_file_that_did_not_change_is_ignored(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    pipeline = start(**EVENTS_ALONE)
    path = tmp_path / "inbox" / "crop.jpg"
    path.write_bytes(b"x")
    pipeline.finish(pipeline.take())
    path.open("ab").close()
    (tmp_path / "inbox" / "next.jpg").write_bytes(b"x")
    assert pipeline.take().path == f"{tmp_path}/inbox/next.jpg"


def test_an_incomplete_file_is_tried_again_then_settled_then_final(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    pipeline = start(scan_seconds=3600.0, settle_seconds=0.3, give_up_seconds=0.9)
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"half")
    tries: list[Candidate] = []
    while not tries or not tries[-1].final:
        tries.append(pipeline.take())
        pipeline.put_off(tries[-1])
    stages = [(one.settled, one.final) for one in tries]
    assert stages == sorted(stages)
    assert {(False, False), (True, False), (True, True)} <= set(stages)
    assert [one.looks for one in tries] == [None, *[tries[-1].looks] * (len(tries) - 1)]


def test_a_file_that_still_grows_is_not_given_up(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=3600.0, settle_seconds=10.0, give_up_seconds=0.4)
    path = tmp_path / "inbox" / "crop.jpg"
    with path.open("wb", buffering=0) as file:
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            file.write(b"x")
            candidate = pipeline.take()
            assert not candidate.final
            pipeline.put_off(candidate)
    while not (candidate := pipeline.take()).final:
        pipeline.put_off(candidate)


def test_what_no_event_told_is_found_by_the_scan(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=0.05)
    pipeline.without_events()
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    assert pipeline.take().path == f"{tmp_path}/inbox/crop.jpg"


def test_an_inbox_that_is_replaced_is_watched_again(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=0.05)
    first = pipeline.watcher.nudges._observed
    (tmp_path / "inbox").rename(tmp_path / "old")
    wait_until(lambda: pipeline.watcher.nudges._observed not in (first, None))
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    assert pipeline.take().path == f"{tmp_path}/inbox/crop.jpg"


def test_a_busy_store_only_delays_the_scan(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=0.05)
    pipeline.fails = True
    pipeline.without_events()
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    pipeline.scans(2)
    assert not pipeline.delivered
    pipeline.fails = False
    assert pipeline.take().path == f"{tmp_path}/inbox/crop.jpg"


def test_names_of_any_bytes_are_delivered(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(**EVENTS_ALONE)
    names = [b"a b'\".jpg", b"new\nline.jpg", b"\xff\xfe.jpg", b"n" * 251 + b".jpg"]
    inbox = os.fsencode(tmp_path / "inbox")
    for name in names:
        with open(inbox + b"/" + name, "wb") as file:  # noqa: PTH123 - pathlib has no bytes
            file.write(b"x")
    assert {os.fsencode(pipeline.take().path).rpartition(b"/")[2] for _ in names} == set(names)


def test_scans_are_counted_and_an_inbox_that_vanished_or_is_no_folder_is_a_failed_one(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    pipeline = start(scan_seconds=0.05)
    inbox = tmp_path / "inbox"
    wait_until(lambda: len(pipeline.scans_ended) >= 2)
    assert all(pipeline.scans_ended)
    inbox.rename(tmp_path / "old")
    wait_until(lambda: False in pipeline.scans_ended)
    wait_until(lambda: pipeline.scans_ended[-1])
    inbox.rename(tmp_path / "older")
    inbox.write_text("no folder")
    pipeline.scans_ended.clear()
    wait_until(lambda: len(pipeline.scans_ended) >= 3)
    assert not any(list(pipeline.scans_ended)[1:])  # one may have begun before
    inbox.unlink()
    wait_until(lambda: pipeline.scans_ended[-1])


def test_a_store_that_refuses_fails_the_scan(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=0.05)
    pipeline.without_events()
    pipeline.fails = True
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    wait_until(lambda: False in pipeline.scans_ended)
    pipeline.fails = False
    wait_until(lambda: pipeline.scans_ended[-1])


def test_a_store_that_was_replaced_ends_the_daemon_though_no_event_ever_comes(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    """On a share, a scan is all that finds crops: nothing else would notice that none can be stored any more."""
    pipeline = start(scan_seconds=0.05)
    pipeline.without_events()
    pipeline.error = StoreReplacedError("replaced")
    pipeline.fails = True
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    pipeline.thread.join(PATIENCE_SECONDS)
    assert pipeline.died == [ExitCode.TEMPORARY_FAILURE]


def test_a_scan_that_gets_no_answer_hangs_and_waiting_does_not(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(scan_seconds=0.05)
    wait_until(lambda: pipeline.thread.busy_since is None)  # waits for the next scan
    pipeline.full.set()
    pipeline.without_events()
    (tmp_path / "inbox" / "crop.jpg").write_bytes(b"x")
    wait_until(lambda: pipeline.watcher.waiting().crops == 1)
    time.sleep(0.3)
    assert not pipeline.thread.hangs(0.2)  # waits for space in the queue
    pipeline.stuck.set()
    pipeline.full.clear()
    try:
        wait_until(lambda: pipeline.thread.hangs(0.2))
    finally:
        pipeline.stuck.clear()
    wait_until(lambda: not pipeline.thread.hangs(0.2))


def test_a_large_folder_is_many_pieces_of_work(
    start: Callable[..., Pipeline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SCAN_CHUNK", 1)
    (tmp_path / "inbox").mkdir()
    for number in range(10):
        (tmp_path / "inbox" / f"{number}.jpg").write_bytes(b"x")
    pipeline = start(**EVENTS_ALONE)
    wait_until(lambda: pipeline.lookups == 10)
    assert len(pipeline.works) == 10
    assert None not in pipeline.works


def test_what_is_pending_is_known_with_its_age(start: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = start(**EVENTS_ALONE)
    assert pipeline.watcher.waiting() == Waiting(0, None)
    paths = [tmp_path / "inbox" / name for name in ("one.jpg", "two.jpg")]
    for path in paths:
        (tmp_path / path.name).write_bytes(b"x")
        (tmp_path / path.name).rename(path)
    taken = [pipeline.take(), pipeline.take()]
    assert pipeline.watcher.waiting() == Waiting(2, paths[0].stat().st_ctime_ns)
    pipeline.finish(taken[0])
    wait_until(lambda: pipeline.watcher.waiting() == Waiting(1, paths[1].stat().st_ctime_ns))
    # What is not complete yet waits, and is as old as its last change.
    paths[1].write_bytes(b"longer")
    pipeline.put_off(taken[1])
    wait_until(lambda: pipeline.watcher.waiting() == Waiting(1, paths[1].stat().st_ctime_ns))
    paths[1].unlink()
    pipeline.finish(taken[1])
    wait_until(lambda: pipeline.watcher.waiting().crops == 0)
    assert not pipeline.watcher.is_held_up()


def test_waiting_for_space_does_not_put_the_next_scan_off(
    start: Callable[..., Pipeline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Were the waiting looked upon as work, it would take a minute to make up for it.
    monkeypatch.setattr(watcher, "SCAN_SHARE", 0.01)
    pipeline = start(scan_seconds=0.05)
    pipeline.without_events()
    pipeline.full.set()
    (tmp_path / "inbox" / "first.jpg").write_bytes(b"x")
    wait_until(lambda: pipeline.watcher.waiting().crops == 1)
    time.sleep(0.6)
    pipeline.full.clear()
    pipeline.take()
    (tmp_path / "inbox" / "second.jpg").write_bytes(b"x")
    assert pipeline.take().path == f"{tmp_path}/inbox/second.jpg"


def test_a_folder_within_that_cannot_be_read_fails_the_scan_and_is_told_of_each_time_it_becomes_so(
    start: Callable[..., Pipeline],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Permissions do not bind root, so the kernel's answer is played."""
    refused: set[str] = set()
    scandir = os.scandir

    def scan(path: str | Path) -> object:
        if os.path.basename(path) in refused:  # noqa: PTH119 - text or path
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    pipeline = start(scan_seconds=0.05)
    for name in ("camera", "lost+found"):
        (tmp_path / "inbox" / name).mkdir()
    monkeypatch.setattr(os, "scandir", scan)
    refused.add("lost+found")
    pipeline.scans_ended.clear()
    wait_until(lambda: len(pipeline.scans_ended) >= 3)
    assert all(pipeline.scans_ended)
    for times in (1, 2):
        refused.add("camera")
        pipeline.scans_ended.clear()
        wait_until(lambda: pipeline.scans_ended.count(False) >= 3)
        assert caplog.text.count("the folder cannot be read") == times
        refused.remove("camera")
        pipeline.scans_ended.clear()
        wait_until(lambda: pipeline.scans_ended.count(True) >= 3)


def test_failures_that_may_be_over_are_tried_again_in_the_first_scan_alone(
    start: Callable[..., Pipeline], tmp_path: Path
) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "1.jpg").write_bytes(b"x")
    pipeline = start(scan_seconds=0.05)
    pipeline.finish(pipeline.take())
    pipeline.scans(3)
    assert pipeline.again[0]
    assert not any(pipeline.again[1:])


def test_failures_that_may_be_over_are_tried_again_later_though_they_look_the_same(
    start: Callable[..., Pipeline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a group of the daemon's user or a mount was corrected: no file shows that."""
    monkeypatch.setattr(retries, "RETRY_SECONDS", 0.5)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "1.jpg").write_bytes(b"x")
    pipeline = start(scan_seconds=0.05)
    candidate = pipeline.take()
    pipeline.watcher.mailbox.put(Done(candidate.path, look(candidate.path)))
    assert pipeline.take() == candidate
    assert pipeline.again.count(True) == 2
