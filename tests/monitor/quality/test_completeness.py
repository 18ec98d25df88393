from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from monitor.configuration.settings import Calibration
from monitor.configuration.settings import Completeness as Settings
from monitor.metrics import Metrics
from monitor.metrics.holes import Holes
from monitor.quality import completeness
from monitor.quality.completeness import (
    LEARN_CROPS,
    Completeness,
    Presence,
    expected_holes,
    judge,
    measure,
    slices,
    with_last_crops,
)
from monitor.store.arrivals import Arrivals, CameraArrivals, Grid, HoleArrivals
from tests.support.made_up import MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
GRID = Grid(5, 0, 100, 60)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MadeUp]:
    with made_up(tmp_path) as made:
        made.calibrate(midpoint(Calibration()), [0.5] * 100, [2.0] * 20, NOW - 60 * DAY)
        yield made


def found(store: MadeUp, settings: Settings, now: datetime = NOW, **span: datetime) -> Completeness:
    with store.database.read() as connection:
        result = measure(connection, settings, now, **span)
        assert result is not None
        return with_last_crops(connection, result, settings, now)


def came(camera: str, active: int, **holes: tuple[int, int, int]) -> Arrivals:
    """Arrivals of one camera: of each hole, such as h7, how many intervals came, came late, or were undecided."""
    counts = {(camera, int(name[1:])): HoleArrivals(*numbers, NOW) for name, numbers in holes.items()}
    return Arrivals({camera: CameraArrivals(active, 9, 0, 0)}, counts)


def test_every_expected_hole_is_held_against_the_active_intervals() -> None:
    result = judge(GRID, came("C", 10, h1=(10, 0, 0), h2=(4, 3, 1), h9=(2, 0, 0)), {"C": {1, 2, 3}, "D": {1}}, {"D"})
    assert [(one.camera, one.hole, *one.counts.values(), one.undecided) for one in result.holes] == [
        ("C", 3, 10, 0, 0, 10, 0),
        ("C", 2, 10, 4, 3, 3, 1),
        ("C", 1, 10, 10, 0, 0, 0),
        ("D", 1, 0, 0, 0, 0, 0),
    ]
    assert result.counts == {"expected": 30, "came": 14, "late": 3, "missing": 13}
    assert [(one.camera, one.origin, one.holes) for one in result.cameras] == [("C", "learned", 3), ("D", "named", 1)]


def test_a_hole_is_learned_from_two_intervals_and_a_tenth_of_the_active_ones() -> None:
    presence = Presence.of([came("C", 100, h1=(10, 0, 0), h2=(9, 0, 0), h3=(1, 2, 7)), came("D", 1, h1=(1, 0, 0))])
    assert expected_holes({}, [presence]) == {"C": {1, 3}}
    twice = Presence.of([came("C", 10, h1=(1, 0, 0), h2=(1, 0, 0)), came("C", 10, h1=(1, 0, 0))])
    assert expected_holes({}, [twice]) == {"C": {1}}
    recent = Presence.of([came("C", 10, h2=(1, 0, 0), h5=(2, 0, 0))])
    assert expected_holes({}, [presence, recent]) == {"C": {1, 3, 5}}
    assert expected_holes({"C": {7}, "E": {8}}, [presence]) == {"C": {7}, "E": {8}}


def test_of_too_many_learned_holes_the_busiest_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completeness, "MOST_EXPECTED_HOLES", 2)
    presence = Presence.of([came("C", 10, h1=(3, 0, 0), h2=(9, 0, 0), h3=(5, 0, 0))])
    assert expected_holes({}, [presence]) == {"C": {2, 3}}


@given(
    expected=st.frozensets(st.integers(1, 9)),
    active=st.integers(0, 50),
    parts=st.dictionaries(st.integers(1, 9), st.tuples(*[st.integers(0, 16)] * 3)),
)
def test_what_is_expected_came_or_came_late_or_is_missing(
    expected: frozenset[int], active: int, parts: dict[int, tuple[int, int, int]]
) -> None:
    arrived = came("C", active, **{f"h{hole}": counts for hole, counts in parts.items() if sum(counts) <= active})
    result = judge(GRID, arrived, {"C": expected})
    assert result == judge(GRID, arrived, {"C": sorted(expected)})
    assert {one.hole for one in result.holes} == expected
    for one in result.holes:
        assert one.expected == active == one.came + one.late + one.missing
        assert 0 <= one.undecided <= one.missing
    assert result.counts["expected"] == active * len(expected)
    missing = [one.missing for one in result.holes]
    assert missing == sorted(missing, reverse=True)


@given(first=st.integers(0, 10**9), length=st.integers(1, 700_000), crops=st.integers(0, 10**8))
def test_slices_lie_apart_and_hold_about_as_many_crops_as_are_looked_at(first: int, length: int, crops: int) -> None:
    end = first + length
    made = slices(first, end, crops)
    assert made == sorted(made)
    assert all(first <= begin < stop <= end for begin, stop in made)
    assert all(before[1] <= after[0] for before, after in pairwise(made))
    assert made[-1][1] == end
    total = sum(stop - begin for begin, stop in made)
    wanted = length if crops <= LEARN_CROPS else length * LEARN_CROPS / crops
    assert total <= max(wanted + 1, 10)
    assert total >= min(length, wanted) / 2 - 1


def test_holes_that_fell_silent_are_missing_and_no_pause_is(store: MadeUp) -> None:
    """Hole 1 comes every 10 s, hole 2 until ten minutes ago, hole 99 once; half an hour before, nothing for an hour."""
    settings = Settings(interval_seconds=10, late_seconds=0)
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
    settings = Settings(interval_seconds=10, late_seconds=5, cameras={"C": "7,8"})
    store.crop(0.1, at=NOW, hole=7)
    for seconds, expected in ((0, 0), (15, 0), (16, 2), (4000, 2), (-4000, 0)):
        now = NOW + timedelta(seconds=seconds)
        assert found(store, settings, now).counts["expected"] == expected
        assert found(store, settings, now) == found(store, settings, now)


def test_a_named_hole_that_fell_silent_long_ago_has_its_last_crop(store: MadeUp) -> None:
    settings = Settings(interval_seconds=10, late_seconds=0, cameras={"C": "7-9"})
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
        assert measure(connection, Settings(), NOW) is None


def test_learning_from_slices_finds_the_same_holes(store: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(interval_seconds=10, window_hours=0.1, learn_days=0.1)
    for number in range(400):
        store.crop(0.1, at=NOW - timedelta(seconds=20 * number), hole=1 + number % 4)
    monkeypatch.setattr(completeness, "LEARN_CROPS", 100)
    assert {one.hole for one in found(store, settings).holes} == {1, 2, 3, 4}


def test_a_wrong_clock_is_mentioned() -> None:
    def notes(crops: int, ahead: int, before: int) -> list[str]:
        arrived = Arrivals({"C": CameraArrivals(3, crops, ahead, before)}, {})
        return judge(GRID, arrived, {}).cameras[0].notes

    assert notes(100, 0, 10) == []
    (fast,) = notes(100, 5, 10)
    assert fast.startswith("5 of 100 crops have a time in their names that is more than 60 s ahead")
    (slow,) = notes(100, 0, 11)
    assert "are not counted" in slow


def test_the_metrics_tell_of_at_most_so_many_holes() -> None:
    arrived = came("C", 10, h1=(10, 0, 0), h2=(4, 3, 0))
    metrics = Metrics(Holes(2, [("C", 1), ("C", 3)]))
    metrics.show_completeness(judge(GRID, arrived, {"C": {1, 2, 3}}))
    lines = generate_latest(metrics.registry).decode().splitlines()
    assert {
        line for line in lines if line.startswith(("monitor_intervals", "monitor_hole_missing", "monitor_expec"))
    } == {
        'monitor_intervals{camera="C",state="expected"} 20.0',
        'monitor_intervals{camera="C",state="came"} 10.0',
        'monitor_intervals{camera="C",state="late"} 0.0',
        'monitor_intervals{camera="C",state="missing"} 10.0',
        'monitor_intervals{camera="other",state="expected"} 10.0',
        'monitor_intervals{camera="other",state="came"} 4.0',
        'monitor_intervals{camera="other",state="late"} 3.0',
        'monitor_intervals{camera="other",state="missing"} 3.0',
        'monitor_hole_missing_intervals{camera="C",hole="1"} 0.0',
        'monitor_hole_missing_intervals{camera="C",hole="3"} 10.0',
        'monitor_hole_missing_intervals{camera="other",hole="other"} 3.0',
        'monitor_expected_holes{camera="C"} 2.0',
        'monitor_expected_holes{camera="other"} 1.0',
    }
    metrics.show_completeness(None)
    assert b"monitor_expected_holes{" not in generate_latest(metrics.registry)


def test_the_daemon_publishes_what_is_missing(daemon: Daemon) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    moments = [(hole, f"{begin + timedelta(minutes=minute)}"[:19]) for minute in range(9) for hole in (1, 2)]
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.executemany(
            "insert into crops (path, sha256, size_bytes, mtime_ns, camera, hole, captured_at, seen_at, state, source) "
            "values (?, ?, 1, 1, 'C', ?, ?, ?, 'scored', 'inbox')",
            [
                (f"/{number}.jpg", f"{number:064}", hole, f"{moment}.000000", f"{moment}.000000")
                for number, (hole, moment) in enumerate(moments[:-5])
            ],
        )
    daemon.environment["MONITOR__COMPLETENESS__INTERVAL_SECONDS"] = "60"
    daemon.start()
    daemon.until(lambda: 'monitor_expected_holes{camera="C"}' in daemon.metrics())
    metrics = daemon.metrics()
    assert metrics['monitor_expected_holes{camera="C"}'] == 2
    states = {state: metrics[f'monitor_intervals{{camera="C",state="{state}"}}'] for state in completeness.STATES}
    assert states == {"expected": 14, "came": 13, "late": 0, "missing": 1}
    assert metrics['monitor_hole_missing_intervals{camera="C",hole="2"}'] == 1
    assert daemon.stop() == 0
