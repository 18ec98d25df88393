"""Which holes were expected to give a crop in which intervals, and what became of it.

A camera is active in an interval when any crop of it has a time in that interval. Each hole that is expected of the
camera is then expected to give a crop that is decided on: it came (was seen no later than `late_seconds` after the
interval's end), came late, or is missing. Intervals in which a crop could still come in time are not counted yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from monitor.configuration.checks import MOST_EXPECTED_HOLES, parse_holes
from monitor.store import traffic
from monitor.store.arrivals import (
    FAST_CLOCK_SECONDS,
    Arrivals,
    CameraArrivals,
    Grid,
    arrivals,
    arrivals_seen,
    crops_since,
)
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Completeness as Settings

STATES: Final = ("expected", "came", "late", "missing")
"""What hole-intervals are counted as; the first is the sum of the others."""

LEAST_SHARE: Final = 0.1
LEAST_INTERVALS: Final = 2
"""A hole is expected of a camera that is not named when crops of it came in at least this share of the intervals in
which the camera was active, and in so many: a number read from a wrong name is no hole."""

LEARN_CROPS: Final = 200_000
"""Of more crops than that, slices are looked at that hold about so many, so that learning takes seconds at most."""
LEARN_SLICES: Final = 50
LEAST_SLICE: Final = 10
"""A slice has so many intervals at least: shorter ones would show a part of the holes that come in an interval."""

WRONG_CLOCK_SHARE: Final = 0.1
"""Where a larger share of the crops has a time before the window, the camera's clock is mentioned."""

NO_CROPS: Final = CameraArrivals(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class HoleCompleteness:
    """The intervals of one hole; ``undecided``: those missing ones whose crops came and could not be decided on.

    ``last``: the time of the last crop that was decided on; None where none is known.
    """

    camera: str
    hole: int
    expected: int
    came: int
    late: int
    undecided: int
    last: datetime | None

    @property
    def missing(self) -> int:
        """How many intervals had no crop that was decided on."""
        return self.expected - self.came - self.late

    @property
    def counts(self) -> dict[str, int]:
        """How many intervals were expected, and how many of them are in each state."""
        return {"expected": self.expected, "came": self.came, "late": self.late, "missing": self.missing}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "camera": self.camera,
            "hole": self.hole,
            **self.counts,
            "undecided": self.undecided,
            "last_crop_at": self.last.isoformat() if self.last else None,
        }


@dataclass(frozen=True, slots=True)
class CameraCompleteness:
    """One camera; ``origin``: whether its holes are named in the configuration, or learned; see `CameraArrivals`."""

    camera: str
    origin: Literal["named", "learned"]
    holes: int
    arrivals: CameraArrivals

    @property
    def notes(self) -> list[str]:
        """What seems wrong with the camera's clock, as sentences."""
        crops, ahead, before = self.arrivals.crops, self.arrivals.ahead, self.arrivals.before
        remedy = "see to the camera's clock and to plant.time_zone"
        notes = []
        if ahead:
            notes.append(
                f"{ahead} of {crops} crops have a time in their names that is more than {FAST_CLOCK_SECONDS} s ahead "
                f"of when they were seen, and count when they were seen; {remedy}"
            )
        if before > WRONG_CLOCK_SHARE * crops:
            notes.append(
                f"{before} of {crops} crops that were seen have a time in their names from before, and are not "
                f"counted; where no old files were put into the inbox, {remedy}"
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
class Completeness:
    """All cameras by name, and their expected holes, those that miss most first."""

    grid: Grid
    cameras: tuple[CameraCompleteness, ...]
    holes: tuple[HoleCompleteness, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many hole-intervals were expected and came, came late or are missing."""
        return {state: sum(one.counts[state] for one in self.holes) for state in STATES}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        grid = self.grid
        return {
            "since": grid.since.isoformat(),
            "until": grid.until.isoformat(),
            "interval_seconds": grid.seconds,
            "late_seconds": grid.late_seconds,
            "intervals": grid.end - grid.first,
            **self.counts,
            "cameras": [one.as_dict() for one in self.cameras],
            "holes": [one.as_dict() for one in self.holes],
        }


def measure(
    connection: Connection,
    settings: Settings,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Completeness | None:
    """What came of [since, until), by default of the window until ``now``; none where nothing is expected.

    What is not due ``now`` is left out.
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
    presences = [_learn(connection, settings, min(end, now), named), Presence.of([came])]
    return judge(grid, came, expected_holes(named, presences), named)


def with_last_crops(connection: Connection, found: Completeness, settings: Settings, now: datetime) -> Completeness:
    """Add when the last crop of each hole was decided that gave none in the window, as far back as is learned from."""
    if all(hole.last for hole in found.holes):
        return found
    rows = traffic.last_crops(connection, now - timedelta(days=settings.learn_days))
    last = {(row.camera or UNKNOWN, row.hole): row.decided_at for row in rows}
    holes = (replace(one, last=one.last or last.get((one.camera, one.hole))) for one in found.holes)
    return replace(found, holes=tuple(holes))


class Presence(NamedTuple):
    """In how many intervals each camera was active, and in how many of them crops of each hole came, whatever crops."""

    active: Counter[str]
    holes: Counter[tuple[str, int]]

    @classmethod
    def of(cls, parts: Iterable[Arrivals]) -> Presence:
        """Of several times together."""
        active: Counter[str] = Counter()
        holes: Counter[tuple[str, int]] = Counter()
        for part in parts:
            active.update({camera: one.active for camera, one in part.cameras.items()})
            holes.update({key: one.came + one.late + one.undecided for key, one in part.holes.items()})
        return cls(active, holes)

    def regular(self) -> set[tuple[str, int]]:
        """The holes that came often enough to be expected."""
        return {
            (camera, hole)
            for (camera, hole), count in self.holes.items()
            if count >= max(LEAST_INTERVALS, LEAST_SHARE * self.active[camera])
        }


def expected_holes(named: Mapping[str, Iterable[int]], presences: Sequence[Presence]) -> dict[str, frozenset[int]]:
    """The holes expected of each camera: those named, and of others at most 1000 that are regular in a presence."""
    regular = sorted(
        set().union(*(one.regular() for one in presences)),
        key=lambda key: (-sum(one.holes[key] for one in presences), key),
    )
    learned: dict[str, list[int]] = {}
    for camera, hole in regular:
        holes = learned.setdefault(camera, [])
        if len(holes) < MOST_EXPECTED_HOLES:
            holes.append(hole)
    return {camera: frozenset(holes) for camera, holes in {**learned, **named}.items()}


def judge(grid: Grid, came: Arrivals, expected: Mapping[str, Iterable[int]], named: Iterable[str] = ()) -> Completeness:
    """Hold what came against what was expected."""
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
            # A camera that is none of the busiest has no active interval here, so that none of its holes counts.
            found = came.holes.get((one.camera, hole)) if one.arrivals.active else None
            counts = (found.came, found.late, found.undecided, found.last) if found else (0, 0, 0, None)
            holes.append(HoleCompleteness(one.camera, hole, one.arrivals.active, *counts))
    worst_first = sorted(holes, key=lambda one: (-one.missing, -one.late, one.camera, one.hole))
    return Completeness(grid, cameras, tuple(worst_first))


def slices(first: int, end: int, crops: int) -> list[tuple[int, int]]:
    """Parts of the intervals ``first`` to ``end - 1`` that together hold about `LEARN_CROPS` of so many crops.

    All of them where there are fewer; else parts of one length at equal distances, of which the last ends at ``end``.
    """
    length = end - first
    if crops <= LEARN_CROPS:
        return [(first, end)]
    wanted = max(1, length * LEARN_CROPS // crops)
    width = min(length, max(LEAST_SLICE, -(-wanted // LEARN_SLICES)))
    count = max(1, min(wanted // width, length // width))
    ends = [end - index * length // count for index in reversed(range(count))]
    return [(one - width, one) for one in ends]


def _learn(connection: Connection, settings: Settings, until: datetime, named: Collection[str]) -> Presence:
    """What came of the crops that were seen in the last days before then, or in slices of that time."""
    since = until - timedelta(days=settings.learn_days)
    seconds = settings.interval_seconds
    first, end = int(since.timestamp()) // seconds, int(until.timestamp()) // seconds + 1
    crops = crops_since(connection, datetime.fromtimestamp(first * seconds, UTC))
    grids = [Grid(seconds, begin, stop, settings.late_seconds) for begin, stop in slices(first, end, crops)]
    return Presence.of(arrivals_seen(connection, grid, named) for grid in grids)
