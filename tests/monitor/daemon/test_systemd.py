"""What systemd is told; the receiver is a real socket."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from monitor.daemon import systemd
from monitor.daemon.systemd import SignsOfLife

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Told = Callable[[], list[str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """The lines that were sent since the last call."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "6000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

        def receive() -> list[str]:
            lines: list[str] = []
            try:
                while True:
                    lines += receiver.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

        yield receive


def test_the_watchdog_is_fed_only_while_the_pipeline_moves(told: Told) -> None:
    moving = [True]
    asked: list[float] = []

    def moves(seconds: float) -> bool:
        asked.append(seconds)
        return moving[0]

    signs = SignsOfLife(moves, lambda: "deciding")
    assert signs.pause == 1.0
    signs.give()
    assert told() == ["WATCHDOG=1", "STATUS=deciding"]
    moving[0] = False
    signs.give()
    signs.give(ending=True)
    assert told() == []
    moving[0] = True
    signs.give(ending=True)
    assert told() == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"]
    assert set(asked) == {6.0}


def test_the_status_is_told_now_and_then_and_when_it_changed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    status = ["one"]
    signs = SignsOfLife(lambda _: False, lambda: status[0])
    monkeypatch.setattr(systemd, "STATUS_SECONDS", 1e9)  # longer than any machine has been running
    signs.give()
    status[0] = "two"
    signs.give()
    assert told() == ["STATUS=one"]
    monkeypatch.setattr(systemd, "STATUS_SECONDS", 0.0)
    signs.give()
    signs.give()
    assert told() == ["STATUS=two"]


def test_without_a_watchdog_only_the_end_is_extended(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    signs = SignsOfLife(lambda _: True, lambda: "deciding")
    signs.give()
    assert told() == ["STATUS=deciding"]
    signs.give(ending=True)
    assert told() == ["EXTEND_TIMEOUT_USEC=60000000"]


def test_a_short_watchdog_is_fed_thrice_in_its_time(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    assert SignsOfLife(lambda _: True, str).pause == pytest.approx(0.1)
