from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.formulas.incidents import incidents

START = datetime(2023, 3, 1, 5, 39, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_without_crops_there_is_no_incident() -> None:
    assert incidents([], 600) == []


def test_a_longer_pause_ends_an_incident_and_one_of_just_the_gap_does_not() -> None:
    crops = [("1", at(0)), ("1", at(600)), ("1", at(1200.5)), ("1", at(1200.5))]
    assert incidents(crops, 600) == [0, 0, 1, 1]


def test_an_incident_may_last_longer_than_the_gap_and_the_order_given_does_not_matter() -> None:
    crops = [("1", at(5000)), ("1", at(900)), ("1", at(0)), ("1", at(450))]
    assert incidents(crops, 500) == [0, 1, 1, 1]


def test_cameras_have_incidents_of_their_own_the_unknown_one_too() -> None:
    crops = [("1", at(0)), ("2", at(1)), (None, at(2)), ("1", at(3)), (None, at(4))]
    assert incidents(crops, 600) == [0, 1, 2, 0, 2]


def test_crops_of_unknown_time_are_one_incident_of_their_camera() -> None:
    crops = [("1", None), ("1", at(0)), ("1", None), ("2", None), (None, None)]
    assert incidents(crops, 600) == [0, 1, 0, 2, 3]


@given(
    times=st.lists(st.tuples(st.sampled_from(["1", "2", None]), st.none() | st.integers(0, 5000)), max_size=30),
    gap=st.integers(1, 500),
)
def test_two_crops_are_one_incident_exactly_when_no_longer_pause_parts_them(
    times: list[tuple[str | None, int | None]], gap: int
) -> None:
    crops = [(camera, None if seconds is None else at(seconds)) for camera, seconds in times]
    found = incidents(crops, gap)
    assert list(dict.fromkeys(found)) == list(range(len(set(found))))
    for camera in {camera for camera, _ in crops}:
        known = sorted(
            (time, number) for (own, time), number in zip(crops, found, strict=True) if own == camera and time
        )
        for (before, one), (after, other) in pairwise(known):
            assert (one == other) == ((after - before).total_seconds() <= gap)
        unknown = {number for (own, time), number in zip(crops, found, strict=True) if own == camera and not time}
        assert len(unknown) <= 1
        assert not unknown & {number for _, number in known}
