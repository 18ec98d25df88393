"""What is passed on of the kernel's events, and what follows where there are none."""

from __future__ import annotations

import errno
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from monitor.files.ignoring import IgnoredNames
from monitor.harness.waiting import wait_until
from monitor.inbox import nudges
from monitor.inbox.folder_events import FolderEvents
from monitor.inbox.messages import Mailbox, Touched
from monitor.inbox.nudges import Nudges

if TYPE_CHECKING:
    from pathlib import Path


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the program said, without the words of watchdog, whose threads may end in the middle of something."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("monitor")]


def received(mailbox: Mailbox) -> list[object]:
    return [mailbox.get_nowait() for _ in range(mailbox.qsize())]


def test_only_crops_are_passed_on_and_under_their_new_names(tmp_path: Path) -> None:
    mailbox: Mailbox = SimpleQueue()
    for folder in ("@eaDir", "sub", ".hidden"):
        (tmp_path / folder).mkdir()
    here = Nudges(tmp_path, mailbox, 7.0, IgnoredNames(["@eadir", "thumbs*"]))
    here.observe()
    for name in ("@eaDir/1.jpg", "1.txt", "Thumbs1.jpg", ".hidden/5.jpg", ".3.part"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "1.jpg").symlink_to("anywhere")
    (tmp_path / ".3.part").rename(tmp_path / "3.jpg")
    (tmp_path / "3.jpg").rename(tmp_path / "3.txt")
    (tmp_path / "2.PNG").hardlink_to(tmp_path / "3.txt")
    (tmp_path / "sub" / "2.PNG").symlink_to("anywhere")
    wait_until(lambda: mailbox.qsize() == 4)
    here.unobserve()
    assert received(mailbox) == [Touched(f"{tmp_path}/{name}") for name in ("1.jpg", "3.jpg", "2.PNG", "sub/2.PNG")]


def test_events_beyond_the_limit_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudges, "MAILBOX_LIMIT", 2)
    mailbox: Mailbox = SimpleQueue()
    here = Nudges(tmp_path, mailbox, 7.0)
    for number in range(4):
        here._touch(f"{tmp_path}/{number}.jpg")
    assert len(received(mailbox)) == 2


ERRORS = [
    OSError(errno.EMFILE, "inotify instance limit reached"),
    RuntimeError("can't start new thread"),
    MemoryError(),
]


def open_descriptors() -> int:
    with os.scandir("/proc/self/fd") as entries:
        return sum(1 for _ in entries)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["__init__", "start", "watch"])
def test_whatever_fails_the_scan_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, step: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    threads, descriptors = threading.active_count(), open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(FolderEvents, step, fail)
        here.observe()
    assert not here.is_observing()
    assert open_descriptors() == descriptors
    (warning,) = ours(caplog)
    assert f"gives no file events ({str(error) or 'MemoryError'})" in warning
    assert threading.active_count() == threads


def test_a_folder_that_cannot_be_looked_at_is_no_reason_to_stop(tmp_path: Path) -> None:
    here = Nudges(tmp_path / "none", SimpleQueue(), scan_seconds=7.0)
    here.observe()
    assert not here.is_observing()


def test_events_that_end_by_an_error_are_noticed_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    here.observe()
    assert here.is_observing()
    with monkeypatch.context() as patch:
        patch.setattr(FolderEvents, "on_event", fail)
        (tmp_path / "folder").mkdir()
        wait_until(lambda: not here.is_observing())
        here.observe()
    (warning,) = ours(caplog)
    assert "gives no file events (MemoryError); crops are found by the scan alone, up to 7 s later; it is" in warning
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
    assert capfd.readouterr().err == ""


def test_a_kernel_that_gives_no_events_is_asked_again_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def refuse(_events: FolderEvents) -> None:
        asked.append(1)
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    with monkeypatch.context() as patch:
        patch.setattr(FolderEvents, "watch", refuse)
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
    add = FolderEvents.add_callback

    def refuse(events: FolderEvents, path: bytes, *arguments: Any) -> Any:
        if path.endswith(b"folder"):
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return add(events, path, *arguments)

    here = Nudges(tmp_path, SimpleQueue(), scan_seconds=7.0)
    with monkeypatch.context() as patch:
        patch.setattr(FolderEvents, "add_callback", refuse)
        here.observe()
        assert here.is_observing()  # there is no sub-folder that could lack its watch
        events = here._events
        (tmp_path / "folder").mkdir()
        wait_until(lambda: not here.is_observing())
        here.observe()
        here.observe()
        assert here._events is events
        assert here._is_alive()
        here._ask_again_at = 0.0
        here.observe()
        assert not here.is_observing()
        assert here._events is not events
    (warning,) = ours(caplog)
    assert f"{tmp_path}: the kernel gives no file events in some sub-folders ([Errno 28] inotify watch" in warning
    assert "crops there are found by the scan alone, up to 7 s later; raise fs.inotify.max_user_watches" in warning
    here.observe()
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
