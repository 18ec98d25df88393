from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.configuration.settings import Calibration, Completeness
from monitor.quality.completeness import (
    WindowCompleteness,
    compare_with_expected,
    completeness_of_window,
    with_last_crops,
)
from monitor.store.arrivals import Arrivals, CameraArrivals
from tests.support.made_up import MadeUp, made_up, midpoint
from tests.support.made_up_arrivals import GRID, NOW, came

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MadeUp]:
    with made_up(tmp_path) as made:
        made.calibrate(midpoint(Calibration()), [0.5] * 100, [2.0] * 20, NOW - 60 * DAY)
        yield made


def found(store: MadeUp, settings: Completeness, now: datetime = NOW, **span: datetime) -> WindowCompleteness:
    with store.database.read() as connection:
        result = completeness_of_window(connection, settings, now, **span)
        assert result is not None
        return with_last_crops(connection, result, settings, now)


def test_every_expected_hole_is_compared_with_the_active_intervals() -> None:
    result = compare_with_expected(
        GRID, came("C", 10, h1=(10, 0, 0), h2=(4, 3, 1), h9=(2, 0, 0)), {"C": {1, 2, 3}, "D": {1}}, {"D"}
    )
    assert [(one.camera, one.hole, *one.counts.values(), one.undecided) for one in result.holes] == [
        ("C", 3, 10, 0, 0, 10, 0),
        ("C", 2, 10, 4, 3, 3, 1),
        ("C", 1, 10, 10, 0, 0, 0),
        ("D", 1, 0, 0, 0, 0, 0),
    ]
    assert result.counts == {"expected": 30, "came": 14, "late": 3, "missing": 13}
    assert [(one.camera, one.origin, one.holes) for one in result.cameras] == [("C", "learned", 3), ("D", "named", 1)]


@given(
    expected=st.frozensets(st.integers(1, 9)),
    active=st.integers(0, 50),
    parts=st.dictionaries(st.integers(1, 9), st.tuples(*[st.integers(0, 16)] * 3)),
)
def test_what_is_expected_came_or_came_late_or_is_missing(
    expected: frozenset[int], active: int, parts: dict[int, tuple[int, int, int]]
) -> None:
    arrived = came("C", active, **{f"h{hole}": counts for hole, counts in parts.items() if sum(counts) <= active})
    result = compare_with_expected(GRID, arrived, {"C": expected})
    assert result == compare_with_expected(GRID, arrived, {"C": sorted(expected)})
    assert {one.hole for one in result.holes} == expected
    for one in result.holes:
        assert one.expected == active == one.came + one.late + one.missing
        assert 0 <= one.undecided <= one.missing
    assert result.counts["expected"] == active * len(expected)
    missing = [one.missing for one in result.holes]
    assert missing == sorted(missing, reverse=True)


def test_holes_that_fell_silent_are_missing_and_no_pause_is(store: MadeUp) -> None:
    """Hole 1 comes every 10 s, hole 2 until ten minutes ago, hole 99 once; half an hour before, nothing for an hour."""
    settings = Completeness(interval_seconds=10, late_seconds=0)
    for minutes in (*range(120, 90, -1), *range(30, 0, -1)):
        store.crop(0.1, at=NOW - timedelta(minutes=minutes), hole=1)
        if minutes > 10:
            store.crop(0.1, at=NOW - timedelta(minutes=minutes), hole=2)
    store.crop(0.1, at=NOW - timedelta(minutes=5), hole=99)
    result = found(store, settings)
    assert [(one.hole, *one.counts.values()) for one in result.holes] == [(2, 60, 50, 0, 10), (1, 60, 60, 0, 0)]
    assert result.cameras[0].origin == "learned"
    assert result.holes[0].last == NOW - timedelta(minutes=11)
    earlier = found(store, settings, since=NOW - timedelta(minutes=100), until=NOW - timedelta(minutes=20))
    assert earlier.counts == {"expected": 40, "came": 40, "late": 0, "missing": 0}


def test_what_is_not_due_is_not_counted_and_asking_again_changes_nothing(store: MadeUp) -> None:
    settings = Completeness(interval_seconds=10, late_seconds=5, cameras={"C": "7,8"})
    store.crop(0.1, at=NOW, hole=7)
    for seconds, expected in ((0, 0), (15, 0), (16, 2), (4000, 2), (-4000, 0)):
        now = NOW + timedelta(seconds=seconds)
        assert found(store, settings, now).counts["expected"] == expected
        assert found(store, settings, now) == found(store, settings, now)


def test_a_named_hole_that_fell_silent_long_ago_has_its_last_crop(store: MadeUp) -> None:
    settings = Completeness(interval_seconds=10, late_seconds=0, cameras={"C": "7-9"})
    store.crop(0.1, at=NOW - 3 * DAY, hole=8)
    store.crop(0.1, at=NOW - DAY / 2, hole=7)
    result = found(store, settings)
    assert {one.hole: (one.missing, one.last) for one in result.holes} == {
        7: (0, NOW - DAY / 2),
        8: (1, NOW - 3 * DAY),
        9: (1, None),
    }


def test_where_nothing_is_expected_nothing_is_measured(store: MadeUp) -> None:
    with store.database.read() as connection:
        assert completeness_of_window(connection, Completeness(), NOW) is None


def test_a_wrong_clock_is_mentioned() -> None:
    def notes(crops: int, ahead: int, before: int) -> list[str]:
        arrived = Arrivals({"C": CameraArrivals(3, crops, ahead, before)}, {})
        return compare_with_expected(GRID, arrived, {}).cameras[0].notes

    assert notes(100, 0, 10) == []
    (fast,) = notes(100, 5, 10)
    assert fast.startswith("5 of 100 crops have a time in their names that is more than 60 s after they were seen")
    (slow,) = notes(100, 0, 11)
    assert "are not counted" in slow
