from __future__ import annotations

from monitor.web.access import attempts
from monitor.web.access.attempts import MOST_OF_ADDRESS, MOST_OF_NAME, SECONDS, Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_name_waits_after_some_attempts_from_one_address_alone() -> None:
    clock = Clock()
    counted = Attempts(clock)
    assert [counted.begin("anna", "10.0.0.1") for _ in range(MOST_OF_NAME)] == [0.0] * MOST_OF_NAME
    clock.now += 100
    assert counted.begin("anna", "10.0.0.1") == SECONDS - 100
    assert counted.begin("boris", "10.0.0.1") == 0
    assert counted.begin("anna", "10.0.0.2") == 0
    clock.now += SECONDS - 100
    assert counted.begin("anna", "10.0.0.1") == 0


def test_an_address_waits_after_many_names() -> None:
    counted = Attempts(Clock())
    for number in range(MOST_OF_ADDRESS):
        assert counted.begin(f"name {number}", "10.0.0.1") == 0
    assert counted.begin("another", "10.0.0.1") == SECONDS


def test_a_network_of_ipv6_is_one_address() -> None:
    counted = Attempts(Clock())
    for number in range(MOST_OF_NAME):
        assert counted.begin("anna", f"2001:db8:1:2::{number:x}") == 0
    assert counted.begin("anna", "2001:db8:1:2:ffff::1") > 0
    assert counted.begin("anna", "2001:db8:1:3::1") == 0


def test_logins_that_succeed_do_not_count() -> None:
    counted = Attempts(Clock())
    for _ in range(2 * MOST_OF_ADDRESS):
        assert counted.begin("anna", "10.0.0.1") == 0
        counted.succeeded("anna", "10.0.0.1")


def test_memory_is_bounded(monkeypatch: object) -> None:
    counted = Attempts(Clock())
    for number in range(attempts.MOST_KNOWN):
        counted.begin("x" * 1000, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(counted._failed) == attempts.MOST_KNOWN
