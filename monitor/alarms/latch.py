"""The latch: turns proliv crops of holes into alarms, one for each event. Arithmetic alone; it knows no database.

k proliv among n decisions of one hole, within t seconds, open an alarm. As long as no pause between its crops is longer
than ``pause``, every further proliv of the hole joins it, even after a person has acknowledged it, because the event is
the same. A crop whose name tells no hole counts by its own path.

When more than a share of a camera's active holes open alarms within t, a single alarm of the table takes their place:
the light, the camera, or a large bleed-out. It takes every further proliv of the camera's holes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from monitor.store.alarms import NO_HOLE, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

# Fewer holes than this never make an alarm of the table, however few are active.
LEAST_HOLES: Final = 3


class Sighting(NamedTuple):
    """A crop that was decided to be proliv; ``at``: its time. ``path``: as it is stored."""

    crop_id: int
    subject: Subject
    path: str
    at: datetime
    score: float
    threshold: float

    @property
    def margin(self) -> float:
        """By how much the score exceeds its threshold."""
        return self.score - self.threshold


class Rule(NamedTuple):
    """When alarms open and what they take: `[alarms]` of the configuration."""

    k: int
    n: int
    within: timedelta
    pause: timedelta
    table_share: float


class Line(Protocol):
    """What the latch asks about the line's other crops."""

    def decided_among(self, crops: Sequence[Sighting]) -> int:
        """How many crops of what these are of were decided, from the time of the first to that of the last.

        ``crops``: of one subject, in the order of their times; they are counted too. Those that were decided before all
        of them may be left out.
        """

    def active_holes(self, camera: str) -> int:
        """Of how many holes a camera gives crops."""


@dataclass(slots=True, eq=False)
class Latched:
    """An alarm; ``id`` is None until it is stored.

    ``first_at``, ``last_at``: the earliest and the latest time of its ``crops``. ``opened_on``: the time of the crop
    that opened it. ``highest``: the crop with the highest margin. ``holes``: those of an alarm of the table, else None.
    ``taken``: the crops that joined it now, of which the ``opening`` ones opened it. ``opened``: it was stored now.
    ``more``: what joined it is worth telling. ``table``: the alarm of the table that it became part of now. ``told``:
    before now, sinks were told of it.
    """

    subject: Subject
    opened_on: datetime
    first_at: datetime
    last_at: datetime
    crops: int
    highest: Sighting
    id: int | None = None
    state: str = "open"
    holes: set[int] | None = None
    taken: list[Sighting] = field(default_factory=list)
    opening: list[Sighting] = field(default_factory=list)
    opened: bool = False
    more: bool = False
    table: Latched | None = None
    told: bool = False

    def take(self, sighting: Sighting) -> None:
        """Let a crop join."""
        self.crops += 1
        self.first_at, self.last_at = min(self.first_at, sighting.at), max(self.last_at, sighting.at)
        if sighting.margin > self.highest.margin:
            self.highest = sighting
        self.taken.append(sighting)
        # Each doubling is told, so that the hundred crops of a bleed-out are seven messages, and a new hole at once.
        self.more |= self.crops & (self.crops - 1) == 0
        if self.holes is not None and sighting.subject.hole not in self.holes:
            self.holes.add(sighting.subject.hole)
            self.more = True


class Latch:
    """The alarms that run, and what crops make of them."""

    def __init__(
        self, rule: Rule, line: Line, running: Iterable[Latched] = (), waiting: Iterable[Sighting] = ()
    ) -> None:
        """``running``: the alarms that are not closed, the oldest first. ``waiting``: crops that have opened none."""
        self._rule = rule
        self._line = line
        # By what they are about, each with how many were there before it, and those of single holes by their camera:
        # a thousand files without a hole make a thousand alarms, which no other crop has to be compared with.
        self._running: defaultdict[Subject, list[tuple[int, Latched]]] = defaultdict(list)
        self._of_holes: defaultdict[str, list[Latched]] = defaultdict(list)
        self._count = 0
        for alarm in running:
            self._add(alarm)
        self._waiting: defaultdict[Subject, list[Sighting]] = defaultdict(list)
        for sighting in waiting:
            self._waiting[sighting.subject].append(sighting)
        # The alarms that have changed or are new, in the order in which that happened first; and what tells them.
        self.changed: list[Latched] = []
        self._noted: set[int] = set()

    def see(self, sightings: Iterable[Sighting]) -> None:
        """Take crops in the order of their times."""
        for sighting in sorted(sightings, key=lambda one: (one.at, one.crop_id)):
            alarm = self._running_for(sighting)
            if alarm is not None:
                alarm.take(sighting)
                self._note(alarm)
            else:
                self._wait(sighting)

    @property
    def waiting(self) -> list[Sighting]:
        """The crops that have opened no alarm."""
        return [one for some in self._waiting.values() for one in some]

    def forget_changes(self) -> None:
        """Note from now on what changes, as if what has changed had been stored."""
        self.changed = []
        self._noted.clear()

    def _add(self, alarm: Latched) -> None:
        self._running[alarm.subject].append((self._count, alarm))
        self._count += 1
        if alarm.subject.hole != NO_HOLE:
            self._of_holes[alarm.subject.camera].append(alarm)

    def _note(self, alarm: Latched) -> None:
        if id(alarm) not in self._noted:
            self._noted.add(id(alarm))
            self.changed.append(alarm)

    def _running_for(self, sighting: Sighting) -> Latched | None:
        """The newest alarm whose event the crop belongs to."""
        pause, subject, at = self._rule.pause, sighting.subject, sighting.at
        about = list(self._running.get(subject, ()))
        if subject.hole != NO_HOLE:
            about += self._running.get(Subject(subject.camera), ())
        # Differences: a name may tell the first or the last day that there is, to which nothing can be added.
        fits = [one for one in about if one[1].first_at - at <= pause and at - one[1].last_at <= pause]
        return max(fits, key=lambda one: one[0])[1] if fits else None

    def _wait(self, sighting: Sighting) -> None:
        waiting = self._waiting[sighting.subject]
        waiting.append(sighting)
        enough = self._enough(waiting, sighting)
        if not enough:
            return
        self._waiting[sighting.subject] = [one for one in waiting if one not in enough]
        alarm = _opened(sighting.subject, sighting.at, enough)
        self._add(alarm)
        self._note(alarm)
        if sighting.subject.hole != NO_HOLE:
            self._gather_table(alarm)

    def _enough(self, waiting: Sequence[Sighting], newest: Sighting) -> Sequence[Sighting]:
        """k crops that open an alarm, ``newest`` among them; none where they are not there."""
        k, n, within = self._rule.k, self._rule.n, self._rule.within
        if k == 1:
            return [newest]
        # Crops come out of order, so what is later counts as well.
        ordered = sorted(waiting, key=lambda one: (one.at, one.crop_id))
        place = ordered.index(newest)
        for start in range(max(0, place - k + 1), place + 1):
            some = ordered[start : start + k]
            together = len(some) == k and some[-1].at - some[0].at <= within
            # By their times, for a backlog is not decided in the order in which it came.
            if together and self._line.decided_among(some) <= n:
                return some
        return []

    def _gather_table(self, newest: Latched) -> None:
        """Make one alarm of the table of those that opened together, if they are enough."""
        camera, within, share = newest.subject.camera, self._rule.within, self._rule.table_share
        if share >= 1:
            return  # fewer holes may count as active than alarm, where their crops come late
        together = [
            one
            for one in self._of_holes[camera]
            if one.state == "open" and abs(one.opened_on - newest.opened_on) <= within
        ]
        holes = {one.subject.hole for one in together}
        if len(holes) < LEAST_HOLES or len(holes) <= share * self._line.active_holes(camera):
            return
        highest = max((one.highest for one in together), key=lambda one: one.margin)
        table = Latched(
            Subject(camera),
            newest.opened_on,
            min(one.first_at for one in together),
            max(one.last_at for one in together),
            sum(one.crops for one in together),
            highest,
            holes=holes,
            taken=[sighting for one in together for sighting in one.taken],
            opening=[sighting for one in together for sighting in one.opening],
        )
        for one in together:
            one.state, one.table, one.taken = "closed", table, []
        # What was not stored yet has never been, so nobody is told of it; what was follows the table, below.
        self.changed = [one for one in self.changed if one.table is not table]
        self._noted.difference_update(map(id, together))
        for one in together:
            self._running[one.subject] = [other for other in self._running[one.subject] if other[1] is not one]
        self._of_holes[camera] = [one for one in self._of_holes[camera] if one.table is not table]
        self._add(table)
        # First: that its parts are over must not look like the all-clear.
        self._note(table)
        for one in together:
            if one.id is not None:
                self._note(one)


def _opened(subject: Subject, opened_on: datetime, crops: Sequence[Sighting]) -> Latched:
    times = [one.at for one in crops]
    highest = max(crops, key=lambda one: one.margin)
    return Latched(
        subject, opened_on, min(times), max(times), len(crops), highest, taken=list(crops), opening=list(crops)
    )
