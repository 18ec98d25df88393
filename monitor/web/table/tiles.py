"""The tiles of the table: the state of each hole, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from monitor.configuration.checks import parse_holes
from monitor.store.alarms import NO_HOLE
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.configuration.settings import Settings
    from monitor.store.alarms import RunningSubject
    from monitor.store.newest import NewestCrop
    from monitor.store.pauses import PauseRow
    from monitor.web.live.board import Place

# The states of a hole, strongest first; each has a shape of its own in the page's sprite.
STATES: Final = ("alarm", "ack", "failing", "missing", "silent", "paused", "unusual", "quiet")
# Their order in the legend.
LEGEND: Final = ("alarm", "ack", "unusual", "failing", "silent", "missing", "paused", "quiet")
# How many holes a row has where the configuration names none, and the widest row that the style sheet has columns for.
A_ROW: Final = 10
WIDEST: Final = 24
# The most tiles of a page: file names may contain anything.
MOST_TILES: Final = 1000


@dataclass(frozen=True, slots=True)
class Tile:
    """A hole as the table shows it.

    ``ratio``: the score of its last crop divided by the threshold; None without one. ``at``: when that crop was seen.
    ``until``: when its pause ends. ``failed``, ``looked_at``: how many of its last crops could not be decided on.
    """

    camera: str
    hole: int
    state: str
    ratio: float | None = None
    crop_id: int | None = None
    at: datetime | None = None
    until: datetime | None = None
    failed: int = 0
    looked_at: int = 0

    @property
    def key(self) -> str:
        """Its name in the page."""
        return f"hole-{quote(self.camera, safe='')}-{self.hole}"

    @property
    def address(self) -> str:
        """The path of the hole's page."""
        return f"/holes/{quote(self.camera, safe='')}/{self.hole}"

    @property
    def bar(self) -> float:
        """The length of the bar, 0-100, which ends at one and a half times the threshold."""
        return 0.0 if self.ratio is None else min(100.0, max(0.0, self.ratio / 1.5 * 100))


class Row(NamedTuple):
    """Holes beside each other; ``shifted``: half a hole to the right, as every other row of a casting table is."""

    tiles: tuple[Tile, ...]
    shifted: bool


class Table(NamedTuple):
    """What a camera photographs; ``width``: holes in its widest row; ``left_out``: holes that there are too many of."""

    camera: str
    rows: tuple[Row, ...]
    width: int
    left_out: int = 0

    @property
    def tiles(self) -> list[Tile]:
        """All tiles, in order."""
        return [tile for row in self.rows for tile in row.tiles]


class Facts(NamedTuple):
    """What tells the states: crops by hole (the newest first), running alarms and pauses, since when the cast runs."""

    newest: Mapping[Place, Sequence[NewestCrop]]
    running: Sequence[RunningSubject] = ()
    pauses: Sequence[PauseRow] = ()
    cast_since: datetime | None = None
    learned: Collection[Place] = ()


def tables_of(facts: Facts, settings: Settings, now: datetime) -> list[Table]:
    """A table for each camera, by name; with `[plant] rows` and without any crop, one of an unknown camera."""
    named = {camera or UNKNOWN: parse_holes(text) for camera, text in settings.completeness.cameras.items()}
    layout = [sorted(parse_holes(row)) for row in settings.plant.rows]
    drawn = {hole for row in layout for hole in row}
    cameras = {camera for camera, _ in (*facts.newest, *facts.learned)} | named.keys()
    if not cameras and drawn:
        cameras = {UNKNOWN}
    found = []
    room = MOST_TILES
    for camera in sorted(cameras):
        holes = {hole for one, hole in (*facts.newest, *facts.learned) if one == camera} | named.get(camera, drawn)
        chosen = sorted(holes)[:room]
        room -= len(chosen)
        states = _States(facts, settings, now, camera)
        rows = _rows({hole: states.tile(hole) for hole in chosen}, layout)
        width = max([A_ROW, *(len(row.tiles) for row in rows)])
        found.append(Table(camera, tuple(rows), min(WIDEST, width), len(holes) - len(chosen)))
    return found


def counts_of(tables: Iterable[Table]) -> dict[str, int]:
    """How many holes are in each state."""
    tiles = [tile for table in tables for tile in table.tiles]
    return {state: sum(tile.state == state for tile in tiles) for state in LEGEND}


def _rows(tiles: Mapping[int, Tile], layout: Sequence[Sequence[int]]) -> list[Row]:
    """The tiles by the layout; those that it does not name, or all without one, by numbers and not shifted."""
    rows = []
    for number, holes in enumerate(layout):
        there = tuple(tiles[hole] for hole in holes if hole in tiles)
        if there:
            rows.append(Row(there, number % 2 == 0))
    named = {hole for row in layout for hole in row}
    others = [tile for hole, tile in tiles.items() if hole not in named]
    return rows + [Row(tuple(others[start : start + A_ROW]), False) for start in range(0, len(others), A_ROW)]


class _States:
    """Tells the states of a camera's holes."""

    def __init__(self, facts: Facts, settings: Settings, now: datetime, camera: str) -> None:
        self._facts, self._now, self._camera = facts, now, camera
        self._alarms: dict[int, set[str]] = {}
        for one in facts.running:
            if (one.camera or UNKNOWN) == camera and one.kind == "hole" and one.hole != NO_HOLE:
                self._alarms.setdefault(one.hole, set()).add(one.state)
        interval = settings.completeness.interval_seconds
        bound = settings.alerts.silent_seconds
        if interval:
            bound = min(bound, interval + settings.completeness.late_seconds)
        self._silent_before = now - timedelta(seconds=bound)

    def tile(self, hole: int) -> Tile:
        """The tile of a hole."""
        crops = self._facts.newest.get((self._camera, hole), ())
        last = next((crop for crop in crops if crop.score is not None), None)
        pause = self._pause(hole)
        return Tile(
            camera=self._camera,
            hole=hole,
            state=self._state(hole, crops, last, pause),
            ratio=_ratio(last),
            crop_id=last and last.id,
            at=crops[0].seen_at if crops else None,
            until=pause and pause.ends_at,
            failed=sum(crop.state == "failed" for crop in crops),
            looked_at=len(crops),
        )

    def _state(self, hole: int, crops: Sequence[NewestCrop], last: NewestCrop | None, pause: PauseRow | None) -> str:
        running = self._alarms.get(hole, ())
        if running:
            return "alarm" if "open" in running else "ack"
        since = self._facts.cast_since
        if not crops or (since is not None and crops[0].seen_at < since):
            return "missing"
        if last is None:
            return "failing"
        if crops[0].seen_at < self._silent_before:
            return "silent"
        if pause is not None:
            return "paused"
        # A proliv that has opened no alarm, as k of [alarms] is not reached, is to be looked at too.
        return "unusual" if last.unusual or last.verdict == Label.PROLIV else "quiet"

    def _pause(self, hole: int) -> PauseRow | None:
        """The pause of the hole that ends last."""
        of_hole = [
            one
            for one in self._facts.pauses
            if (one.camera is None or one.camera == self._camera) and (one.hole is None or one.hole == hole)
        ]
        return max(of_hole, key=lambda one: one.ends_at, default=None)


def _ratio(crop: NewestCrop | None) -> float | None:
    """The score divided by the threshold; None where that says nothing, as with a threshold that is not above 0."""
    if crop is None or crop.score is None or not crop.threshold or crop.threshold < 0:
        return None
    return crop.score / crop.threshold
