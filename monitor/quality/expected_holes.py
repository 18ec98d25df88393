"""Finds out which holes are expected of each camera: those that are named, and those that gave crops regularly."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.configuration.checks import MOST_EXPECTED_HOLES
from monitor.store.arrivals import Grid, arrivals_seen, crops_since

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Completeness
    from monitor.store.arrivals import Arrivals

# A hole that is not named is expected when its crops came in at least this share of the intervals in which the camera
# was active, and in at least this many: a number read from a wrong name is not a hole.
LEAST_SHARE: Final = 0.1
LEAST_INTERVALS: Final = 2

# Learn from all crops of the last days if there are at most this many, else from slices that hold about this many, so
# that it takes a few seconds at most.
LEARN_CROPS: Final = 200_000
LEARN_SLICES: Final = 50
# The fewest intervals of a slice: a shorter one might miss holes.
LEAST_SLICE: Final = 10


class Presence(NamedTuple):
    """In how many intervals each camera was active, and in how many crops of each hole came, decided on or not."""

    active: Counter[str]
    holes: Counter[tuple[str, int]]

    @classmethod
    def of(cls, parts: Iterable[Arrivals]) -> Presence:
        """The presence in several spans of time together."""
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
    """The holes expected of each camera: the named ones, or else those that are regular in one of the presences.

    Of each camera, at most `MOST_EXPECTED_HOLES` are learned: those that came most often.
    """
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


def slices(first: int, end: int, crops: int) -> list[tuple[int, int]]:
    """Parts (begin, end) of the intervals ``first`` to ``end - 1`` that hold about `LEARN_CROPS` of all ``crops``.

    One part with all of them where there are not more; else parts of the same length at equal distances, of which the
    last ends at ``end``.
    """
    length = end - first
    if crops <= LEARN_CROPS:
        return [(first, end)]
    wanted = max(1, length * LEARN_CROPS // crops)
    width = min(length, max(LEAST_SLICE, -(-wanted // LEARN_SLICES)))
    count = max(1, min(wanted // width, length // width))
    ends = [end - index * length // count for index in reversed(range(count))]
    return [(one - width, one) for one in ends]


def learn_presence(connection: Connection, settings: Completeness, until: datetime, named: Collection[str]) -> Presence:
    """Learn from the crops that were seen in the ``learn_days`` before ``until``, or in slices of that time."""
    since = until - timedelta(days=settings.learn_days)
    seconds = settings.interval_seconds
    first, end = int(since.timestamp()) // seconds, int(until.timestamp()) // seconds + 1
    crops = crops_since(connection, datetime.fromtimestamp(first * seconds, UTC))
    grids = [Grid(seconds, begin, stop, settings.late_seconds) for begin, stop in slices(first, end, crops)]
    return Presence.of(arrivals_seen(connection, grid, named) for grid in grids)
