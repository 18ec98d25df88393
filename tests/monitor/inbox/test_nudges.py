"""What is passed on of the kernel's events, which the test makes up."""

from __future__ import annotations

import errno
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent
from watchdog.observers import Observer
from watchdog.observers.api import EventEmitter

from monitor.files.ignoring import IgnoredNames
from monitor.harness.waiting import wait_until
from monitor.inbox import nudges
from monitor.inbox.messages import Mailbox, Touched
from monitor.inbox.nudges import Nudges, _Handler

if TYPE_CHECKING:
    from pathlib import Path


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the program said, without the words of watchdog, whose threads may end in the middle of something."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("monitor")]


def received(mailbox: Mailbox) -> list[object]:
    return [mailbox.get_nowait() for _ in range(mailbox.qsize())]


def test_only_crops_are_passed_on_and_under_their_new_names(tmp_path: Path) -> None:
    mailbox: Mailbox = SimpleQueue()
    handler = _Handler(tmp_path, mailbox, IgnoredNames(["@eaDir"]))
    for event in (
        FileClosedEvent(f"{tmp_path}/@eadir/1.jpg/SYNOPHOTO_THUMB_M.jpg"),
        FileCreatedEvent(f"{tmp_path}/1.jpg"),
        FileClosedEvent(f"{tmp_path}/sub/2.PNG"),
        FileMovedEvent(f"{tmp_path}/.3.part", f"{tmp_path}/3.jpg"),
        FileMovedEvent(f"{tmp_path}/4.jpg", f"{tmp_path}/4.txt"),
        FileClosedEvent(f"{tmp_path}/.hidden/5.jpg"),
        FileClosedEvent("/elsewhere/6.jpg"),
    ):
        handler.on_any_event(event)
    assert received(mailbox) == [Touched(f"{tmp_path}/{name}") for name in ("1.jpg", "sub/2.PNG", "3.jpg")]


def test_events_beyond_the_limit_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudges, "MAILBOX_LIMIT", 2)
    mailbox: Mailbox = SimpleQueue()
    handler = _Handler(tmp_path, mailbox)
    for number in range(4):
        handler.on_any_event(FileClosedEvent(f"{tmp_path}/{number}.jpg"))
    assert len(received(mailbox)) == 2


ERRORS = [
    OSError(errno.EMFILE, "inotify instance limit reached"),
    RecursionError("maximum recursion depth exceeded"),
    RuntimeError("can't start new thread"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["Observer", "schedule", "start"])
def test_whatever_fails_the_scan_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, step: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    threads = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(nudges if step == "Observer" else Observer, step, fail)
        here.observe()
    assert not here.is_observing()
    (warning,) = ours(caplog)
    assert f"gives no file events ({error or 'MemoryError'})" in warning
    assert threading.active_count() == threads


def test_a_folder_that_cannot_be_looked_at_is_no_reason_to_stop(tmp_path: Path) -> None:
    here = Nudges(tmp_path / "none", SimpleQueue(), scan_seconds=7.0)
    here.observe()
    assert not here.is_observing()


def test_events_that_end_by_an_error_are_noticed_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """As when a tree is moved into the inbox that is too deep for the library."""

    def fail(*_: object) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    here.observe()
    assert here.is_observing()
    with monkeypatch.context() as patch:
        patch.setattr(EventEmitter, "queue_event", fail)
        (tmp_path / "folder").mkdir()
        wait_until(lambda: not here.is_observing())
        here.observe()
    (warning,) = ours(caplog)
    assert "(maximum recursion depth exceeded)" in warning
    assert "nested this deep" in warning
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
    assert capfd.readouterr().err == ""


def test_the_failure_of_another_thread_is_shown_as_ever(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    here.observe()
    here.unobserve()

    def fail() -> None:
        raise RuntimeError("of another thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "RuntimeError: of another thread" in capfd.readouterr().err


def test_a_kernel_that_gives_no_events_is_asked_again_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    class NoMoreWatches:
        def schedule(self, *_arguments: object, **_options: object) -> None:
            asked.append(1)
            raise OSError(errno.ENOSPC, "inotify watch limit reached")

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    with monkeypatch.context() as patch:
        patch.setattr(nudges, "Observer", NoMoreWatches)
        here.observe()
        here.observe()
        assert len(asked) == 1  # asking walks every folder, so there is a pause
        here._ask_again_at = 0.0
        here.observe()
    assert len(asked) == 2
    (warning,) = ours(caplog)
    assert "gives no file events" in warning
    assert "up to 7 s later" in warning
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
    assert not here.is_observing()


def test_sub_folders_that_the_kernel_has_no_watch_for_are_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Events still come from the others, and the folder is watched anew some time later."""
    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    with monkeypatch.context() as patch:
        patch.setattr(nudges, "_is_limit_reached", lambda _folder: True)
        here.observe()
        assert here.is_observing()  # there is no sub-folder that could lack its watch
        (tmp_path / "folder").mkdir()
        here.observe()
        assert not here.is_observing()
        threads = here._threads
        here.observe()
        assert all(thread.is_alive() for thread in threads)
        here._ask_again_at = 0.0
        here.observe()
        assert not here.is_observing()
    (warning,) = ours(caplog)
    assert f"{tmp_path}: the kernel gives no file events in some sub-folders ([Errno 28] inotify watch" in warning
    assert "crops there are found by the scan alone, up to 7 s later; raise fs.inotify.max_user_watches" in warning
    here.observe()
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
