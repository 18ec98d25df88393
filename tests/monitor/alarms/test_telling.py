"""Whether sinks are told of an alarm, and by which messages: the decisions alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.telling import About, Withheld, kinds_to_tell, withheld
from monitor.store.pauses import PauseRow

if TYPE_CHECKING:
    from monitor.alarms.messages import Kind

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAUSED = Withheld("pause", 1)
HOLE = About("C", frozenset({10}))
TABLE = About("C", frozenset({1, 2, 3}))
# A file whose name tells no hole, and perhaps no camera.
FILE = About("C", frozenset())
NOWHERE = About("", frozenset())


def pause(number: int, camera: str | None = None, hole: int | None = None) -> PauseRow:
    """A pause that ends after those with lower numbers."""
    return PauseRow(number, camera, hole, START, START + timedelta(hours=number), "work", "anna", None)


@pytest.mark.parametrize(
    ("about", "paused", "by"),
    [
        (HOLE, [], None),
        (HOLE, [pause(1, hole=10)], 1),
        (HOLE, [pause(1, "C", 10)], 1),
        (HOLE, [pause(1, "C")], 1),
        (HOLE, [pause(1)], 1),
        (HOLE, [pause(1, hole=11), pause(2, "B", 10), pause(3, "B")], None),
        # The one that ends last.
        (HOLE, [pause(1), pause(2, "C")], 2),
        (TABLE, [pause(1, hole=1), pause(2, hole=2)], None),
        (TABLE, [pause(1, hole=1), pause(2, hole=3), pause(3, "C", 2)], 3),
        (TABLE, [pause(1, hole=1), pause(2, "C")], 2),
        (FILE, [pause(1, hole=10)], None),
        (FILE, [pause(1, "C")], 1),
        (NOWHERE, [pause(1, "C"), pause(2, hole=10)], None),
        (NOWHERE, [pause(1)], 1),
    ],
)
def test_an_alarm_is_withheld_only_where_all_of_it_is_paused(
    about: About, paused: list[PauseRow], by: int | None
) -> None:
    assert withheld(about, paused) == (None if by is None else Withheld("pause", by))


def test_while_nothing_is_cast_nobody_is_told_and_a_pause_is_the_reason_that_is_noted() -> None:
    assert withheld(HOLE, [], idle=True) == Withheld("idle")
    assert withheld(NOWHERE, [], idle=True) == Withheld("idle")
    assert withheld(HOLE, [pause(1)], idle=True) == PAUSED
    assert withheld(HOLE, [pause(1, hole=11)], idle=True) == Withheld("idle")
    assert withheld(HOLE, [], idle=True, replaces_told=True) is None


def test_what_takes_the_place_of_an_alarm_that_was_told_is_told() -> None:
    assert withheld(TABLE, [pause(1)], replaces_told=True) is None


def test_who_was_told_of_an_alarm_hears_its_end_and_nobody_else_does() -> None:
    for now in (None, PAUSED):
        ends: list[Kind] = ["acknowledged", "closed"]
        for change in ends:
            assert kinds_to_tell(change, was_told=True, withheld_now=now) == [change]
            assert kinds_to_tell(change, was_told=False, withheld_now=now) == []


def test_crops_that_join_are_told_where_they_are_worth_it_and_not_in_a_pause() -> None:
    assert kinds_to_tell("more", was_told=True) == ["more"]
    assert kinds_to_tell("more", was_told=True, worth_telling=False) == []
    assert kinds_to_tell("more", was_told=True, withheld_now=PAUSED) == []
    assert kinds_to_tell("opened", was_told=False, withheld_now=PAUSED) == []


def test_an_alarm_that_was_withheld_begins_with_its_opening_whatever_comes() -> None:
    assert kinds_to_tell("opened", was_told=False) == ["opened"]
    assert kinds_to_tell("more", was_told=False, worth_telling=False) == ["opened"]
    assert kinds_to_tell("more", was_told=False, acknowledged=True) == ["opened", "acknowledged"]
