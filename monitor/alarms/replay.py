"""What alarms are worth: decisions run through the latch again, by several rules at once, beside the true events.

Nothing is stored and nobody is told. Every crop is a transaction of its own, in the order of the crops' times, and
nobody acknowledges or closes anything: what stays running is what the rule alone leaves running.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from monitor.alarms.columns import PROLIV, UNLABELLED, moment_of
from monitor.alarms.latch import Latch, Sighting
from monitor.alarms.raising import ACTIVE
from monitor.alarms.replayed_line import ReplayedLine
from monitor.store.alarms import NO_HOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.alarms.columns import Decisions
    from monitor.alarms.latch import Latched, Rule
    from monitor.alarms.truth import Event
    from monitor.store.alarms import Subject

DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Outcome:
    """What one rule made of a stream.

    ``caught``: the events that an alarm told of. ``joined``: those whose crops only joined an alarm that was running
    already, a false one or one opened more than the pause before; the others were missed. ``seconds``: of each caught
    event, from its start to its alarm. An alarm is true if a crop of an event was among those that opened it; where
    none of these is labelled, the first labelled one that joined says whether it is true, or else nobody knows.
    ``false_share``: the share, 0-1, of the holes' time that lay in a false alarm or the pause behind it. What is per
    time is None where no time was seen.
    """

    rule: Rule
    events: int
    caught: int
    joined: int
    seconds: tuple[float, ...]
    true_alarms: int
    false_alarms: int
    unlabelled_alarms: int
    false_alarms_a_day: float | None
    false_share: float | None

    @property
    def missed(self) -> int:
        """How many events no alarm had anything to do with."""
        return self.events - self.caught - self.joined

    @property
    def seconds_median(self) -> float | None:
        """The median of ``seconds``; None if no event was caught."""
        return median(self.seconds) if self.seconds else None

    @property
    def seconds_longest(self) -> float | None:
        """The longest of them."""
        return max(self.seconds, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "k": self.rule.k,
            "n": self.rule.n,
            "within_seconds": self.rule.within.total_seconds(),
            "events_caught": self.caught,
            "events_joined": self.joined,
            "events_missed": self.missed,
            "seconds_median": self.seconds_median,
            "seconds_longest": self.seconds_longest,
            "true_alarms": self.true_alarms,
            "false_alarms": self.false_alarms,
            "unlabelled_alarms": self.unlabelled_alarms,
            "false_alarms_per_table_and_day": self.false_alarms_a_day,
            "false_alarm_share": self.false_share,
        }


@dataclass(frozen=True)
class Stream:
    """What was replayed; ``table_days``: the time of all cameras together, pauses of more than a minute left out."""

    crops: int
    proliv: int
    cameras: int
    holes: int
    table_days: float
    events: int

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {**self.__dict__}


class _Fact(NamedTuple):
    """What is known of a crop: its event, by number, and whether it shows a bleed-out; None where nobody knows."""

    at: datetime
    event: int | None
    true: bool | None


class Replay:
    """Runs decisions through the latch by several rules, of which there is at least one.

    ``subjects``: the list that the decisions' columns refer to; it may grow between two calls. ``events``: the true
    ones. ``complete``: there are no others, so that a crop that is of none is no bleed-out.
    """

    def __init__(
        self, subjects: Sequence[Subject], rules: Sequence[Rule], events: Sequence[Event], *, complete: bool
    ) -> None:
        self._subjects, self._events, self._complete = subjects, events, complete
        self._by_subject: defaultdict[Subject, list[tuple[datetime, int]]] = defaultdict(list)
        for number, event in sorted(enumerate(events), key=lambda one: one[1].start):
            self._by_subject[event.subject].append((event.start, number))
        self._line = ReplayedLine(subjects)
        # Of the crops that are of an event or labelled, as long as an alarm may open on them.
        self._facts: dict[tuple[Subject, int], _Fact] = {}
        self._otherwise = False if complete else None
        self._courses = [_Course(rule, self._line, events, self._facts, self._otherwise) for rule in rules]
        self._longest = max(rule.within for rule in rules)
        self._swept: datetime | None = None
        self._crops = self._proliv = 0

    def add(self, decisions: Decisions) -> None:
        """Take the next decisions; each crop's time is that of the one before it or later."""
        for part in decisions.parts():
            numbers = self._line.enter(part)
            rows = np.flatnonzero(part.proliv)
            columns = (rows, numbers[rows], part.at[rows], part.subjects[rows], part.labels[rows])
            for row, number, at, place, label in zip(*(column.tolist() for column in columns), strict=True):
                self._line.row = row
                # Scores have no part in it.
                self._step(Sighting(number, self._subjects[place], "", moment_of(at), 1.0, 1.0), label)
            self._line.leave()
            self._crops += len(part)
            self._proliv += len(rows)

    def _step(self, sighting: Sighting, label: int) -> None:
        if self._swept is None or sighting.at - self._swept > ACTIVE:
            self._sweep(sighting.at)
        fact = self._fact(sighting, label)
        if fact.true is not self._otherwise:
            self._facts[sighting.subject, sighting.crop_id] = fact
        for course in self._courses:
            course.step(sighting)

    def _fact(self, sighting: Sighting, label: int) -> _Fact:
        own = self._by_subject.get(sighting.subject, ())
        place = bisect_right(own, sighting.at, key=lambda one: one[0]) - 1
        if place >= 0 and sighting.at <= self._events[own[place][1]].end:
            return _Fact(sighting.at, own[place][1], true=True)
        return _Fact(sighting.at, None, self._otherwise if label == UNLABELLED else label == PROLIV)

    def _sweep(self, now: datetime) -> None:
        """Forget what is over, so that neither memory nor the time for a crop grows with the stream."""
        self._swept = now
        for course in self._courses:
            course.sweep(now)
        for key in [key for key, fact in self._facts.items() if now - fact.at > self._longest]:
            del self._facts[key]

    @property
    def stream(self) -> Stream:
        """What was replayed until now."""
        days = sum(self._line.observed.values(), timedelta()) / DAY
        holes = sum(one.hole != NO_HOLE for one in self._subjects)
        return Stream(self._crops, self._proliv, len(self._line.observed), holes, days, len(self._events))

    def outcomes(self) -> list[Outcome]:
        """What each rule made of it; nothing can be added afterwards."""
        return [course.outcome() for course in self._courses]


class _Course:
    """What one rule makes of the stream."""

    def __init__(
        self,
        rule: Rule,
        line: ReplayedLine,
        events: Sequence[Event],
        facts: Mapping[tuple[Subject, int], _Fact],
        otherwise: bool | None,
    ) -> None:
        """``otherwise``: whether a crop that there is no fact of shows a bleed-out."""
        self._rule, self._line, self._events = rule, line, events
        self._facts, self._otherwise = facts, otherwise
        self._latch = Latch(rule, line)
        self._opened = 0
        # The alarms that run, in the order in which they opened, and whether they are true.
        self._true: dict[Latched, bool | None] = {}
        self._counts: Counter[bool | None] = Counter()
        self._false_time = timedelta()
        # By event, when it was caught; None as long as its crops only joined.
        self._found: dict[int, datetime | None] = {}

    def step(self, sighting: Sighting) -> None:
        """Take the next crop that was decided to be proliv."""
        latch = self._latch
        latch.see((sighting,))
        alarm = next((one for one in latch.changed if one.taken), None)
        if alarm is None:
            return
        facts = [fact for one in alarm.taken if (fact := self._facts.get((one.subject, one.crop_id)))]
        if alarm.id is None:
            self._open(alarm, facts)
        elif self._true[alarm] is None and facts:
            self._true[alarm] = facts[0].true
        alarm.taken.clear()
        for fact in facts:
            if fact.event is not None and self._found.get(fact.event) is None:
                self._found[fact.event] = sighting.at if self._tells_of(alarm, fact.event) else None

    def _open(self, alarm: Latched, facts: Sequence[_Fact]) -> None:
        self._opened += 1
        alarm.id = self._opened
        parts = [one for one in self._latch.changed if one.table is alarm and one in self._true]
        known = [fact.true for fact in facts] + [self._true[one] for one in parts]
        if len(facts) < len(alarm.taken):
            known.append(self._otherwise)
        self._true[alarm] = _any(known)
        for one in parts:
            self._end(one, timedelta())

    def _tells_of(self, alarm: Latched, event: int) -> bool:
        # Where only some of an event's crops are labelled, its alarm may have opened a little before the first of them.
        return self._true[alarm] is True and self._events[event].start - alarm.opened_on <= self._rule.pause

    def sweep(self, now: datetime) -> None:
        """Let go of the alarms whose events are over, and of crops that waited in vain."""
        pause, within = self._rule.pause, self._rule.within
        for alarm in [one for one in self._true if now - one.last_at > pause]:
            self._end(alarm, pause)
        waiting = [one for one in self._latch.waiting if now - one.at <= within]
        self._latch = Latch(self._rule, self._line, self._true, waiting)

    def _end(self, alarm: Latched, after: timedelta) -> None:
        """Count an alarm that held its holes until so long after its last crop."""
        true = self._true.pop(alarm)
        self._counts[true] += 1
        if true is False:
            holes = 1 if alarm.holes is None else self._line.holes(alarm.subject.camera)
            self._false_time += holes * (alarm.last_at - alarm.opened_on + after)

    def outcome(self) -> Outcome:
        """What came of it, at the end of the stream."""
        for alarm in list(self._true):
            self._end(alarm, self._rule.pause)
        observed = self._line.observed
        days = sum(observed.values(), timedelta()) / DAY
        holes_time = sum((self._line.holes(camera) * time for camera, time in observed.items()), timedelta())
        caught = {event: at for event, at in self._found.items() if at is not None}
        return Outcome(
            rule=self._rule,
            events=len(self._events),
            caught=len(caught),
            joined=len(self._found) - len(caught),
            seconds=tuple((at - self._events[number].start).total_seconds() for number, at in sorted(caught.items())),
            true_alarms=self._counts[True],
            false_alarms=self._counts[False],
            unlabelled_alarms=self._counts[None],
            false_alarms_a_day=self._counts[False] / days if days else None,
            false_share=min(self._false_time / holes_time, 1.0) if holes_time else None,
        )


def _any(known: Sequence[bool | None]) -> bool | None:
    """Whether one of these is true; None where nothing is known of any."""
    return True if True in known else False if False in known else None
