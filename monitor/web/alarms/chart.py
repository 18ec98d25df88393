"""Draws the scores around an alarm: where each crop stands, and what happened when, as coordinates of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.web.units import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from monitor.store.alarm_pages import SeenCrop
    from monitor.store.alarms import AlarmRow

# The field of the drawing within its 1040 by 230 units.
LEFT: Final = 40.0
RIGHT: Final = 1024.0
TOP: Final = 24.0
BOTTOM: Final = 202.0
# What is shown before the first crop of an alarm and after its last one.
BEFORE: Final = timedelta(minutes=2)
AFTER: Final = timedelta(minutes=3)
MOST_LINES: Final = 6
SECONDS: Final = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)


class Point(NamedTuple):
    """A crop in the drawing."""

    x: float
    y: float
    proliv: bool


class Tick(NamedTuple):
    """A line of the grid, or a place on the axis, with its text."""

    at: float
    text: str


class Mark(NamedTuple):
    """Something that happened: "opened", "acknowledged" or "closed"; ``right``: its text stands right of the line."""

    what: str
    x: float
    moment: datetime
    right: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing. ``one``: where the ratio 1 is; ``shade``: from and to where the alarm's crops reach."""

    points: list[Point]
    grid: list[Tick]
    times: list[Tick]
    marks: list[Mark]
    one: float
    shade: tuple[float, float]

    @property
    def line(self) -> str:
        """The points as an SVG polyline takes them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


def ratio_of(crop: SeenCrop) -> float | None:
    """The score in thresholds, see `monitor.web.units`; None where it is not known."""
    if crop.score is None or crop.threshold is None:
        return None
    ratio = share_of(crop.score, crop.threshold)
    return ratio if isfinite(ratio) else None


def chart_of(alarm: AlarmRow, crops: Sequence[SeenCrop], zone: tzinfo) -> Chart | None:
    """The drawing of an alarm with the crops around it, in any order; None where fewer than two can be drawn."""
    first, last = alarm.first_at - BEFORE, alarm.last_at + AFTER
    drawn = sorted(
        (crop.at, ratio, crop.verdict == "proliv")
        for crop in crops
        if first <= crop.at <= last and (ratio := ratio_of(crop)) is not None
    )
    if len(drawn) < 2 or drawn[0][0] == drawn[-1][0]:
        return None
    begin, end = drawn[0][0], drawn[-1][0]
    whole = (end - begin).total_seconds()
    step, top = _scale(max(ratio for _, ratio, _ in drawn))

    def across(moment: datetime) -> float:
        part = (moment - begin).total_seconds() / whole
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, part)), 1)

    def up(ratio: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * min(1.0, max(0.0, ratio / top)), 1)

    return Chart(
        points=[Point(across(at), up(ratio), proliv) for at, ratio, proliv in drawn],
        grid=[Tick(up(step * n), f"{step * n:g}") for n in range(round(top / step) + 1)],
        times=[Tick(across(at), text) for at, text in _clock(begin, end, zone)],
        marks=[
            Mark(what, across(moment), moment, across(moment) < (LEFT + RIGHT) / 2)
            for what, moment in (
                *(("opened", alarm.opened_on), ("acknowledged", alarm.acknowledged_at), ("closed", alarm.closed_at)),
            )
            if moment is not None and begin <= moment <= end
        ],
        one=up(1.0),
        shade=(across(alarm.first_at), across(alarm.last_at)),
    )


def _scale(highest: float) -> tuple[float, float]:
    """The distance of the grid's lines and the ratio at its upper end."""
    step, factors = 0.5, (2.0, 2.5, 2.0)  # 0.5, 1, 2.5, 5, 10, …
    number = 0
    while step * MOST_LINES < highest:
        step *= factors[number % 3]
        number += 1
    lines = max(3, -int(-highest // step))
    return step, step * lines


def _clock(begin: datetime, end: datetime, zone: tzinfo) -> list[tuple[datetime, str]]:
    """Round times on the plant's clock within the drawing, at most nine."""
    whole = (end - begin).total_seconds()
    step = next((seconds for seconds in SECONDS if whole / seconds <= 8), max(SECONDS[-1], int(whole / 8)))
    local = begin.astimezone(zone)
    since_midnight = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second).total_seconds()
    moment = local.replace(microsecond=0) + timedelta(seconds=-since_midnight % step)
    if moment < local:
        moment += timedelta(seconds=step)
    found = []
    while moment <= end:
        form = "%d.%m. %H:%M" if step >= SECONDS[-1] else "%H:%M:%S" if step < 60 else "%H:%M"
        found.append((moment, moment.strftime(form)))
        moment += timedelta(seconds=step)
    return found
