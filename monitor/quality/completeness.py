"""Counts in which intervals each hole gave the crop that was expected of it.

A camera is active in an interval when any of its crops has a time in that interval. Each hole that is expected of the
camera should then give a crop that is decided on: it came (was seen no later than `late_seconds` after the end of the
interval), came late, or is missing. Intervals in which a crop could still come in time are not counted yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from monitor.configuration.checks import parse_holes
from monitor.quality.expected_holes import Presence, expected_holes, learn_presence
from monitor.store.arrivals import FAST_CLOCK_SECONDS, Arrivals, CameraArrivals, Grid, HoleArrivals, arrivals
from monitor.store.traffic import last_crops
from monitor.times import iso
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Completeness

# What hole-intervals are counted as; the first is the sum of the others.
STATES: Final = ("expected", "came", "late", "missing")

# Mention the camera's clock when more than this share of its crops have a time before the window.
WRONG_CLOCK_SHARE: Final = 0.1

NO_CROPS: Final = CameraArrivals(0, 0, 0, 0)
NOTHING: Final = HoleArrivals(0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class HoleCompleteness:
    """The intervals of one hole.

    ``undecided``: the missing ones whose crops came and could not be decided on. ``last``, ``last_id``: the time and
    the id of the last crop that was decided on; None where none is known.
    """

    camera: str
    hole: int
    expected: int
    came: int
    late: int
    undecided: int
    last: datetime | None
    last_id: int | None

    @property
    def missing(self) -> int:
        """How many intervals had no crop that was decided on."""
        return self.expected - self.came - self.late

    @property
    def counts(self) -> dict[str, int]:
        """How many intervals are in each of the `STATES`."""
        return {"expected": self.expected, "came": self.came, "late": self.late, "missing": self.missing}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "camera": self.camera,
            "hole": self.hole,
            **self.counts,
            "undecided": self.undecided,
            "last_crop_at": iso(self.last),
            "last_crop": self.last_id,
        }


@dataclass(frozen=True, slots=True)
class CameraCompleteness:
    """One camera.

    ``origin``: whether the configuration names its holes, or they were learned. ``holes``: how many are expected.
    ``arrivals``: what came from it.
    """

    camera: str
    origin: Literal["named", "learned"]
    holes: int
    arrivals: CameraArrivals

    @property
    def notes(self) -> list[str]:
        """Sentences about what seems wrong with the camera's clock."""
        crops, ahead, before = self.arrivals.crops, self.arrivals.ahead, self.arrivals.before
        remedy = "check the camera's clock and plant.time_zone"
        notes = []
        if ahead:
            notes.append(
                f"{ahead} of {crops} crops have a time in their names that is more than {FAST_CLOCK_SECONDS} s after "
                f"they were seen, so the time when they were seen counts; {remedy}"
            )
        if before > WRONG_CLOCK_SHARE * crops:
            notes.append(
                f"{before} of {crops} crops that were seen have an earlier time in their names, and are not counted; "
                f"unless old files were put into the inbox, {remedy}"
            )
        return notes

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = self.arrivals
        return {
            "camera": self.camera,
            "origin": self.origin,
            "expected_holes": self.holes,
            "active_intervals": found.active,
            "crops": found.crops,
            "crops_ahead": found.ahead,
            "crops_before": found.before,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class WindowCompleteness:
    """What came in a window of time: all cameras by name, and their expected holes, those that miss most first."""

    grid: Grid
    cameras: tuple[CameraCompleteness, ...]
    holes: tuple[HoleCompleteness, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many hole-intervals are in each of the `STATES`."""
        return {state: sum(one.counts[state] for one in self.holes) for state in STATES}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        grid = self.grid
        return {
            "since": iso(grid.since),
            "until": iso(grid.until),
            "interval_seconds": grid.seconds,
            "late_seconds": grid.late_seconds,
            "intervals": grid.end - grid.first,
            **self.counts,
            "cameras": [one.as_dict() for one in self.cameras],
            "holes": [one.as_dict() for one in self.holes],
        }


def completeness_of_window(
    connection: Connection,
    settings: Completeness,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> WindowCompleteness | None:
    """What came in [since, until), by default in the window that ends ``now``; None where nothing is expected.

    Crops that may still come in time are left out.
    """
    if not settings.interval_seconds:
        return None
    end = until or now
    grid = Grid.between(
        since or end - timedelta(hours=settings.window_hours),
        *(end, now),
        seconds=settings.interval_seconds,
        late_seconds=settings.late_seconds,
    )
    named = {camera or UNKNOWN: parse_holes(text) for camera, text in settings.cameras.items()}
    came = arrivals(connection, grid, named)
    presences = [learn_presence(connection, settings, min(end, now), named), Presence.of([came])]
    return compare_with_expected(grid, came, expected_holes(named, presences), named)


def with_last_crops(
    connection: Connection, found: WindowCompleteness, settings: Completeness, now: datetime
) -> WindowCompleteness:
    """Add the last decided crop to holes without any in the window, looking ``learn_days`` back."""
    if all(hole.last for hole in found.holes):
        return found
    rows = last_crops(connection, now - timedelta(days=settings.learn_days))
    last = {(row.camera or UNKNOWN, row.hole): row for row in rows}
    holes = []
    for one in found.holes:
        row = None if one.last else last.get((one.camera, one.hole))
        holes.append(replace(one, last=row.decided_at, last_id=row.id) if row else one)
    return replace(found, holes=tuple(holes))


def compare_with_expected(
    grid: Grid, came: Arrivals, expected: Mapping[str, Iterable[int]], named: Iterable[str] = ()
) -> WindowCompleteness:
    """Compare what came with the holes that are expected of each camera.

    ``named``: the cameras whose holes the configuration names.
    """
    names = set(named)
    cameras = tuple(
        CameraCompleteness(
            camera,
            "named" if camera in names else "learned",
            len(frozenset(expected.get(camera, ()))),
            came.cameras.get(camera, NO_CROPS),
        )
        for camera in sorted(expected.keys() | came.cameras.keys())
    )
    holes: list[HoleCompleteness] = []
    for one in cameras:
        for hole in frozenset(expected.get(one.camera, ())):
            # A camera that is not among the busiest has no active interval here, so none of its holes counts.
            found = came.holes.get((one.camera, hole)) if one.arrivals.active else None
            came_of = found or NOTHING
            counts = came_of.came, came_of.late, came_of.undecided, came_of.last, came_of.last_id
            holes.append(HoleCompleteness(one.camera, hole, one.arrivals.active, *counts))
    worst_first = sorted(holes, key=lambda one: (-one.missing, -one.late, one.camera, one.hole))
    return WindowCompleteness(grid, cameras, tuple(worst_first))
