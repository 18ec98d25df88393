"""What alarms are worth: decisions run through the latch again, by several rules at once, beside the true events.

Nothing is stored and nobody is told. Crops are taken in the order of their times, those that were decided on together
at once, and nobody acknowledges or closes anything: what stays running is what the rules alone leave running.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from monitor.alarms import columns
from monitor.alarms.circumstances import Circumstances
from monitor.alarms.columns import NOT_KNOWN, UNLABELLED, moment_of
from monitor.alarms.course import DAY, Course, Fact, Truth
from monitor.alarms.latch import Sighting
from monitor.alarms.outcomes import Stream
from monitor.alarms.raising import ACTIVE
from monitor.alarms.replayed_line import ReplayedLine
from monitor.store.alarms import NO_HOLE, PROLIV, UNUSUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitor.alarms.columns import Decisions
    from monitor.alarms.outcomes import Outcome, Rules
    from monitor.alarms.truth import Event
    from monitor.store.alarms import Subject

# As in the transaction of the decisions, proliv come first.
_SIGNS: Final = (PROLIV, UNUSUAL)


class _Seen(NamedTuple):
    """A crop that may open an alarm; ``decided``: as in `Decisions`."""

    row: int
    decided: int
    sign: str
    sighting: Sighting
    label: int


class Replay:
    """Runs decisions through the latch by several rules, of which there is at least one.

    ``subjects``: the list that the decisions' columns refer to; it may grow between two calls. ``events``: the true
    ones. ``complete``: there are no others, so that a crop that is of none is no bleed-out. ``circumstances``: by
    default, that there were no casts and no pauses.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        rules: Sequence[Rules],
        events: Sequence[Event],
        *,
        complete: bool,
        circumstances: Circumstances | None = None,
    ) -> None:
        self._subjects, self._events, self._complete = subjects, events, complete
        self._circumstances = circumstances or Circumstances()
        self._by_subject: defaultdict[Subject, list[tuple[datetime, int]]] = defaultdict(list)
        for number, event in sorted(enumerate(events), key=lambda one: one[1].start):
            self._by_subject[event.subject].append((event.start, number))
        self._line = ReplayedLine(subjects)
        self._facts: dict[tuple[Subject, int], Fact] = {}
        self._otherwise = False if complete else None
        truth = Truth(events, self._facts, self._otherwise)
        self._courses = [Course(one, self._line, truth, self._circumstances) for one in rules]
        self._longest = max(one.longest_within for one in rules)
        self._swept: datetime | None = None
        self._crops = self._proliv = self._unusual = 0
        # What was decided on together, as far as it has come; and whether the line has yet to leave its part.
        self._together: list[_Seen] = []
        self._within_part = False

    def add(self, decisions: Decisions) -> None:
        """Take the next decisions; each crop's time is that of the one before it or later."""
        for part in decisions.parts():
            rows = np.flatnonzero(part.proliv | part.unusual)
            # What was decided on together may be cut in two, but the line knows nothing of a part that it has left.
            if not len(rows) or not self._belongs(int(part.decided[rows[0]])):
                self._step()
            self._leave()
            numbers = self._line.enter(part)
            self._within_part = True
            for seen in self._seen(part, rows, numbers):
                if not self._belongs(seen.decided):
                    self._step()
                self._line.row = seen.row
                self._together.append(seen)
            self._crops += len(part)
            self._proliv += int(np.count_nonzero(part.proliv))
            self._unusual += int(np.count_nonzero(part.unusual & ~part.proliv))

    def _seen(self, part: Decisions, rows: np.ndarray, numbers: np.ndarray) -> Iterator[_Seen]:
        found = (rows, numbers[rows], *(column[rows] for column in (part.at, part.subjects, part.decided)))
        found += part.proliv[rows], part.labels[rows]
        for row, number, at, place, decided, proliv, label in zip(*(one.tolist() for one in found), strict=True):
            # Scores have no part in it.
            sighting = Sighting(number, self._subjects[place], "", moment_of(at), 1.0, 1.0)
            yield _Seen(row, decided, PROLIV if proliv else UNUSUAL, sighting, label)

    def _belongs(self, decided: int) -> bool:
        """Whether a crop was decided on together with those before it."""
        return bool(self._together) and decided == self._together[-1].decided != NOT_KNOWN

    def _step(self) -> None:
        """Let the rules take what was decided on together."""
        if not self._together:
            return
        together, self._together = self._together, []
        first, last = together[0].sighting.at, together[-1]
        # By the first of them: it may still join what is over for the last one.
        if self._swept is None or first - self._swept > ACTIVE:
            self._sweep(first)
        for seen in together:
            fact = self._fact(seen.sighting, seen.label)
            if fact.true is not self._otherwise:
                self._facts[seen.sighting.subject, seen.sighting.crop_id] = fact
        moment = self._circumstances.at(last.sighting.at if last.decided == NOT_KNOWN else moment_of(last.decided))
        for sign in _SIGNS:
            sightings = [seen.sighting for seen in together if seen.sign == sign]
            if sightings:
                for course in self._courses:
                    course.step(sign, sightings, moment)

    def _leave(self) -> None:
        if self._within_part:
            self._line.leave()
            self._within_part = False

    def _fact(self, sighting: Sighting, label: int) -> Fact:
        own = self._by_subject.get(sighting.subject, ())
        place = bisect_right(own, sighting.at, key=lambda one: one[0]) - 1
        if place >= 0 and sighting.at <= self._events[own[place][1]].end:
            return Fact(sighting.at, own[place][1], true=True)
        return Fact(sighting.at, None, self._otherwise if label == UNLABELLED else label == columns.PROLIV)

    def _sweep(self, now: datetime) -> None:
        """Forget what is over, so that neither memory nor the time for a crop grows with the stream."""
        self._swept = now
        for course in self._courses:
            course.sweep(now)
        for key in [key for key, fact in self._facts.items() if now - fact.at > self._longest]:
            del self._facts[key]

    def _finish(self) -> None:
        self._step()
        self._leave()

    @property
    def stream(self) -> Stream:
        """What was replayed until now."""
        self._finish()
        days = sum(self._line.observed.values(), timedelta()) / DAY
        holes = sum(one.hole != NO_HOLE for one in self._subjects)
        return Stream(
            *(self._crops, self._proliv, self._unusual, len(self._line.observed), holes, days, len(self._events))
        )

    def outcomes(self) -> list[Outcome]:
        """What each rule made of it; nothing can be added afterwards."""
        self._finish()
        return [course.outcome() for course in self._courses]
