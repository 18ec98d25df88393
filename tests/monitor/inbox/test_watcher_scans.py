"""The scan finds what no event told of, and a store or folder that fails only delays it."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

from monitor.errors import ExitCode, StoreReplacedError
from monitor.files.looks import look
from monitor.harness.waiting import wait_until
from monitor.inbox import retries, watcher
from monitor.inbox.messages import Done, Stop, Touched
from tests.support.watching import EVENTS_ALONE, PATIENCE_SECONDS, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


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


def test_a_backlog_is_delivered_in_the_order_in_which_it_came_also_where_an_event_tells_of_a_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SCAN_CHUNK", 3)
    monkeypatch.setattr(watcher, "BEFORE_EVENTS", 4)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    numbers = [5, 3, 9, 1, 7, 0, 8, 2, 6, 4]
    for number in numbers:
        (inbox / f"{number}.jpg").write_bytes(b"x")
    pipeline = Pipeline(inbox, **EVENTS_ALONE)
    pipeline.order = {f"{inbox}/{number}.jpg": number for number in numbers}
    pipeline.watcher.mailbox.put(Touched(f"{inbox}/8.jpg"))
    pipeline.thread.start()
    wait_until(lambda: len(pipeline.delivered) == len(numbers))
    pipeline.watcher.mailbox.put(Stop())
    pipeline.thread.join(PATIENCE_SECONDS)
    assert [int(one.path[-5]) for one in pipeline.delivered] == [0, 1, 2, 3, 8, 4, 5, 6, 7, 9]


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
