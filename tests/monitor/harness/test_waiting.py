from __future__ import annotations

import re
from itertools import count

import pytest

from monitor.errors import MonitorError
from monitor.harness import waiting
from monitor.harness.waiting import Patience, wait_until


class Clock:
    """A clock that goes only when a test or a pause lets it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_a_wait_ends_when_the_condition_comes_true(clock: Clock) -> None:
    looks = count()
    wait_until(lambda: next(looks) == 100)
    assert next(looks) == 101


def test_a_wait_in_vain_says_what_was_going_on(clock: Clock) -> None:
    with pytest.raises(MonitorError, match=re.escape("nothing has happened for 60 s; it slept")):
        wait_until(lambda: False, lambda: "it slept", pause=1.0)


def test_patience_begins_again_with_whatever_happens(clock: Clock) -> None:
    patience = Patience(lambda: "")
    for _ in range(3):
        clock.sleep(59)
        assert not patience.is_over()
        patience.renew()
    clock.sleep(61)
    assert patience.is_over()
    with pytest.raises(MonitorError):
        patience.pause()
