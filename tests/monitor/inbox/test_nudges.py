"""What is passed on of the kernel's events, which the test makes up."""

from __future__ import annotations

import errno
from queue import SimpleQueue
from typing import TYPE_CHECKING

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent

from monitor.inbox import nudges
from monitor.inbox.messages import Mailbox, Touched
from monitor.inbox.nudges import Nudges, _Handler

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def received(mailbox: Mailbox) -> list[object]:
    return [mailbox.get_nowait() for _ in range(mailbox.qsize())]


def test_only_crops_are_passed_on_and_under_their_new_names(tmp_path: Path) -> None:
    mailbox: Mailbox = SimpleQueue()
    handler = _Handler(tmp_path, mailbox)
    for event in (
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
    (warning,) = caplog.messages
    assert "gives no file events" in warning
    assert "up to 7 s later" in warning
    assert not here.is_observing()
    here._ask_again_at = 0.0
    here.observe()
    assert here.is_observing()
    here.unobserve()
    assert not here.is_observing()
