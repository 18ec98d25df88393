"""The watcher alone: real folders, real kernel events, a pipeline that is played by the test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from monitor.files.looks import look
from monitor.harness.waiting import wait_until
from monitor.inbox.ledger import Waiting
from monitor.inbox.messages import Candidate, Done
from tests.support.watching import EVENTS_ALONE, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
