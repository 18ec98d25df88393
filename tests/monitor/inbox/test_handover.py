"""When a watcher counts as held up, on a clock that the test sets."""

from __future__ import annotations

from monitor.inbox.handover import HELD_UP_SECONDS, QUICK_SECONDS, Handover

QUICK = QUICK_SECONDS / 2


def hand_on(handover: Handover, now: float, took: float) -> float:
    """Hand on a file at ``now``; the time after that."""
    handover.begin(now)
    handover.end(now + took)
    return now + took


def test_nothing_is_held_up_at_first() -> None:
    assert not Handover().is_held_up(1e9)


def test_what_is_quick_never_holds_up() -> None:
    handover = Handover()
    now = 0.0
    while now < 2 * HELD_UP_SECONDS:
        now = hand_on(handover, now, QUICK)
    assert not handover.is_held_up(now + 2 * HELD_UP_SECONDS)


def test_a_delivery_that_waits_long_holds_up_while_it_waits() -> None:
    handover = Handover()
    handover.begin(5.0)
    assert not handover.is_held_up(5.0 + HELD_UP_SECONDS)
    assert handover.is_held_up(5.1 + HELD_UP_SECONDS)


def test_one_that_had_to_wait_is_followed_by_more_until_the_watcher_has_caught_up() -> None:
    handover = Handover()
    now = hand_on(handover, 0.0, 2 * QUICK_SECONDS)
    # The following ones are quick, as the queue has one place at a time.
    while now < HELD_UP_SECONDS + 1:
        now = hand_on(handover, now + 0.5, QUICK)
    assert handover.is_held_up(now)
    handover.catch_up()
    assert not handover.is_held_up(now)
    hand_on(handover, now, QUICK)
    assert not handover.is_held_up(now + 2 * HELD_UP_SECONDS)


def test_the_time_is_summed_up() -> None:
    handover = Handover()
    hand_on(handover, 0.0, 0.25)
    hand_on(handover, 10.0, 0.5)
    assert handover.seconds == 0.75
