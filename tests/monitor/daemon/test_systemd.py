"""What systemd is told; the receiver is a real socket."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.daemon import systemd
from monitor.daemon.service import Service
from monitor.daemon.systemd import SignsOfLife
from monitor.harness.waiting import wait_until
from monitor.registry import Registry
from monitor.store.database.engine import Database

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


def test_a_lack_of_descriptors_ends_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        systemd.notify("READY=1")
    systemd.notify("READY=1")
    assert told() == ["READY=1"]


def test_a_reload_that_takes_longer_than_the_watchdog_waits_gives_signs_of_life(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    monkeypatch.setattr(service._jobs, "refresh_now", lambda: None)
    lines: list[str] = []

    def is_fed() -> bool:
        lines.extend(told())
        return lines.count("WATCHDOG=1") >= 5

    monkeypatch.setattr(service.models, "load", lambda: wait_until(is_fed))
    threads = threading.active_count()
    service._reload(everything=False)
    assert is_fed()
    assert lines[0] == "RELOADING=1"
    assert lines[-1] == "READY=1"
    assert threading.active_count() == threads


def test_work_that_never_ends_gives_no_signs_any_more(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """No signal is answered then, so the service has to be restarted."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    signs = SignsOfLife(lambda _: True, str)
    monkeypatch.setattr(systemd, "LONGEST_WORK_SECONDS", 0.2)
    with signs.given_meanwhile():
        wait_until(lambda: not any(thread.name == "signs of life" for thread in threading.enumerate()))
    assert "WATCHDOG=1" in told()
    # Where no thread can be had, the work is done all the same; without a watchdog none is needed.
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raise_runtime_error)
        with signs.given_meanwhile():
            pass
    monkeypatch.delenv("WATCHDOG_USEC")
    threads = threading.active_count()
    with SignsOfLife(lambda _: True, str).given_meanwhile():
        assert threading.active_count() == threads


def raise_runtime_error(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_signs_are_given_while_the_main_thread_gives_them_and_the_pipeline_moves(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = [True]
    signs = SignsOfLife(lambda _: moving[0], str)
    assert not signs.are_given()  # none was given yet
    signs.give()
    assert signs.are_given()
    moving[0] = False
    assert not signs.are_given()
    moving[0] = True
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 7)  # longer than the watchdog waits
    assert not signs.are_given()
    signs.give()
    assert signs.are_given()


@pytest.mark.parametrize("watched", [True, False])
def test_loading_models_is_a_sign_of_life_for_a_while(
    told: Told, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr(systemd, "DRAIN_SECONDS", 6.0)
    if not watched:
        monkeypatch.delenv("WATCHDOG_USEC")
    signs = SignsOfLife(lambda _: True, str)
    signs.give()
    later = time.monotonic() + 7
    with monkeypatch.context() as patch, signs.given_meanwhile():
        patch.setattr(time, "monotonic", lambda: later)
        assert signs.are_given()
        if not watched:
            patch.setattr(time, "monotonic", lambda: later + systemd.LONGEST_WORK_SECONDS)
            assert not signs.are_given()
    assert signs.are_given()
