from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.store.alarm_pages import SeenCrop
from monitor.store.alarms import AlarmRow
from monitor.web.alarms.chart import BOTTOM, LEFT, RIGHT, TOP, chart_of, ratio_of

START = datetime(2026, 3, 1, 5, 39, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Krasnoyarsk")


def alarm(**changes: Any) -> AlarmRow:
    values = dict.fromkeys(AlarmRow._fields)
    values |= {"opened_on": START, "first_at": START, "last_at": START + timedelta(seconds=30)}
    return AlarmRow(**{**values, **changes})


def crop(seconds: float, score: float | None, threshold: float | None = 2.0) -> SeenCrop:
    proliv = score is not None and threshold is not None and score >= threshold
    at = START + timedelta(seconds=seconds)
    return SeenCrop(int(seconds * 10), 10, at, score, threshold, "proliv" if proliv else "ne_proliv", unusual=False)


@pytest.mark.parametrize(
    ("score", "threshold", "ratio"),
    [(3.0, 2.0, 1.5), (0.0, 2.0, 0.0), (0.25, 0.0, 1.25), (-0.25, 0.0, 0.75), (None, 2.0, None), (1.0, None, None),
     (float("inf"), 2.0, None), (float("nan"), 2.0, None)],
)  # fmt: skip
def test_a_score_counts_in_thresholds(score: float | None, threshold: float | None, ratio: float | None) -> None:
    assert ratio_of(crop(0, score, threshold)) == ratio


def test_what_is_drawn_lies_within_the_field_and_in_the_order_of_time() -> None:
    crops = [crop(seconds, 1.0 + (seconds % 7)) for seconds in range(-300, 400, 10)]
    found = chart_of(alarm(acknowledged_at=START + timedelta(seconds=51)), crops[::-1], ZONE)
    assert found is not None
    assert [point.x for point in found.points] == sorted(point.x for point in found.points)
    assert (found.points[0].x, found.points[-1].x) == (LEFT, RIGHT)
    assert all(TOP <= point.y <= BOTTOM for point in found.points)
    assert [mark.what for mark in found.marks] == ["opened", "acknowledged"]
    # From two minutes before to three after, on the plant's clock.
    assert [tick.text for tick in found.times] == ["12:37", "12:38", "12:39", "12:40", "12:41", "12:42"]
    assert found.grid[0].text == "0"
    assert found.one in [tick.at for tick in found.grid]


def test_an_extreme_score_is_drawn_and_the_grid_stays_readable() -> None:
    found = chart_of(alarm(), [crop(0, 1e300), crop(1, -5.0), crop(2, 1.0)], ZONE)
    assert found is not None
    assert 3 <= len(found.grid) - 1 <= 6
    assert {point.y for point in found.points} <= {TOP, BOTTOM} | {point.y for point in found.points if point.y > TOP}
    assert all(TOP <= point.y <= BOTTOM for point in found.points)


def test_a_long_alarm_has_few_times_on_its_axis() -> None:
    last = START + timedelta(days=40)
    found = chart_of(alarm(last_at=last), [crop(0, 1.0), crop(40 * 86_400, 3.0)], ZONE)
    assert found is not None
    assert 4 <= len(found.times) <= 10


@pytest.mark.parametrize("crops", [[], [crop(0, 1.0)], [crop(0, 1.0), crop(0, 3.0)], [crop(0, 1.0), crop(9e4, 1.0)]])
def test_too_few_crops_make_no_drawing(crops: list[SeenCrop]) -> None:
    assert chart_of(alarm(), crops, ZONE) is None
