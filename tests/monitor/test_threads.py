from __future__ import annotations

from threading import Event

from monitor.threads import RepeatingThread


def test_an_action_is_repeated_until_the_thread_is_stopped_and_the_end_comes_once() -> None:
    done: list[str] = []
    three = Event()

    def act() -> None:
        done.append("again")
        if len(done) >= 3:
            three.set()

    thread = RepeatingThread("repeating", act, 0.001, lambda: done.append("end"))
    thread.start()
    assert three.wait(60)
    thread.stop(60)
    assert done.count("end") == 1
    assert done[-1] == "end"
    assert set(done[:-1]) == {"again"}


def test_stopping_does_not_wait_for_the_pause() -> None:
    acted = Event()
    ended = Event()
    thread = RepeatingThread("repeating", acted.set, 3600, ended.set)
    thread.start()
    assert acted.wait(60)
    thread.stop(60)
    assert ended.is_set()
