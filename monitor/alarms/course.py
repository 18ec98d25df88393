"""What rules make of a stream of decisions, step by step: the alarms that open, and who would have been told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.alarms.columns import MICROSECOND
from monitor.alarms.latch import Latch
from monitor.alarms.outcomes import Outcome
from monitor.alarms.telling import about, withheld
from monitor.times import moved

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.alarms.circumstances import Circumstances, Moment
    from monitor.alarms.latch import Latched, Rule, Sighting
    from monitor.alarms.outcomes import Rules
    from monitor.alarms.replayed_line import ReplayedLine
    from monitor.alarms.truth import Event
    from monitor.store.alarms import Subject

DAY: Final = timedelta(days=1)


class Fact(NamedTuple):
    """What is known of a crop: its event, by number, and whether it shows a bleed-out; None where nobody knows."""

    at: datetime
    event: int | None
    true: bool | None


class Truth(NamedTuple):
    """What is known of the stream.

    ``facts``: of the crops that are of an event or labelled, as long as an alarm may open on them. ``otherwise``:
    whether a crop that there is no fact of shows a bleed-out.
    """

    events: Sequence[Event]
    facts: Mapping[tuple[Subject, int], Fact]
    otherwise: bool | None


@dataclass(slots=True)
class _Running:
    """Of an alarm that runs: what its crops are, whether it is true, and when its last crop was decided on.

    ``events``: those that it would have told of if it had been told, by number, and when.
    """

    sign: str
    true: bool | None
    decided_at: datetime
    events: dict[int, datetime] = field(default_factory=dict)


class Course:
    """What rules make of a stream; nobody acknowledges or closes anything."""

    def __init__(self, rules: Rules, line: ReplayedLine, truth: Truth, circumstances: Circumstances) -> None:
        self._rules, self._line, self._truth, self._circumstances = rules, line, truth, circumstances
        # By the sign of the crops, with the rule that is in force.
        self._latches: dict[str, tuple[Rule, Latch]] = {}
        # In the order in which they opened.
        self._running: dict[Latched, _Running] = {}
        self._opened = self._withheld_alarms = 0
        self._counts: Counter[bool | None] = Counter()
        self._false_time = timedelta()
        # By event, when it was caught; None as long as its crops only joined.
        self._found: dict[int, datetime | None] = {}
        self._withheld: set[int] = set()

    def step(self, sign: str, sightings: Collection[Sighting], moment: Moment) -> None:
        """Take the next crops with a sign, which were decided on together."""
        rule = self._rules.in_phase(moment.phase)
        in_force, latch = self._latches.get(sign, (None, None))
        if latch is None or in_force != rule:
            latch = self._take_over(sign, rule, latch.waiting if latch is not None else ())
        if rule.within > rule.pause:
            self._close_quiet(moment.at)
        latch.see(sightings)
        known = [one for one in latch.changed if one in self._running]
        for alarm in known:
            self._tell_belated(alarm, moment.at)
        for alarm in latch.changed:
            if alarm.table is None:
                self._take(alarm, sign, moment, [part for part in known if part.table is alarm])
        latch.forget_changes()

    def sweep(self, now: datetime) -> None:
        """Let go of the alarms whose events are over, and of crops that waited in vain."""
        within = self._rules.longest_within
        # As long as the store's latch looks at an alarm that nobody has closed.
        for alarm in [one for one in self._running if now - one.last_at > max(self._rules.usual.pause, within)]:
            self._end(alarm)
        for sign, (rule, latch) in list(self._latches.items()):
            self._take_over(sign, rule, [one for one in latch.waiting if now - one.at <= within])

    def outcome(self) -> Outcome:
        """What came of it, at the end of the stream."""
        for alarm in list(self._running):
            self._end(alarm)
        observed = self._line.observed
        days = sum(observed.values(), timedelta()) / DAY
        holes_time = sum((self._line.holes(camera) * time for camera, time in observed.items()), timedelta())
        caught = {event: at for event, at in self._found.items() if at is not None}
        events = self._truth.events
        return Outcome(
            rules=self._rules,
            events=len(events),
            caught=len(caught),
            joined=len(self._found) - len(caught),
            withheld=len(self._withheld - self._found.keys()),
            seconds=tuple((at - events[number].start).total_seconds() for number, at in sorted(caught.items())),
            true_alarms=self._counts[True],
            false_alarms=self._counts[False],
            unlabelled_alarms=self._counts[None],
            withheld_alarms=self._withheld_alarms,
            false_alarms_a_day=self._counts[False] / days if days else None,
            false_share=min(self._false_time / holes_time, 1.0) if holes_time else None,
        )

    def _take_over(self, sign: str, rule: Rule, waiting: Collection[Sighting]) -> Latch:
        """Go on with another latch."""
        running = [alarm for alarm, own in self._running.items() if own.sign == sign]
        latch = Latch(rule, self._line, running, waiting)
        self._latches[sign] = rule, latch
        return latch

    def _close_quiet(self, now: datetime) -> None:
        """Close what would be closed by itself, so that it becomes no part of an alarm of the table."""
        for alarm, own in self._running.items():
            if now - own.decided_at > self._rules.usual.pause:
                self._tell_belated(alarm, now)
                if self._rules.ends_quiet or not alarm.told:
                    alarm.state = "closed"

    def _take(self, alarm: Latched, sign: str, moment: Moment, parts: Sequence[Latched]) -> None:
        """Take over what became of an alarm, of which ``parts`` became part."""
        facts = [fact for one in alarm.taken if (fact := self._truth.facts.get((one.subject, one.crop_id)))]
        told_at = None
        if alarm.id is None:
            self._opened += 1
            alarm.id = self._opened
            known = [fact.true for fact in facts] + [self._running[part].true for part in parts]
            if len(facts) < len(alarm.taken):
                known.append(self._truth.otherwise)
            own = self._running[alarm] = _Running(sign, _any(known), moment.at)
        else:
            own = self._running[alarm]
            own.decided_at = moment.at
            if own.true is None and facts:
                own.true = facts[0].true
            told_at = alarm.last_at
        alarm.taken.clear()
        for fact in facts:
            if fact.event is not None:
                own.events.setdefault(fact.event, max(alarm.opened_on, fact.at))
        replaces_told = any(part.told for part in parts)
        for part in parts:
            withheld_until_now = self._running[part].events.items()
            own.events |= {event: max(at, alarm.opened_on) for event, at in withheld_until_now}
            self._close(part)
        if alarm.told:
            self._tell_events(alarm, own)
            return
        what = about(alarm.subject.camera, alarm.subject.hole, alarm.holes)
        if withheld(what, moment.pauses, idle=moment.idle, replaces_told=replaces_told) is None:
            alarm.told = True
            self._tell_events(alarm, own, told_at)

    def _tell_belated(self, alarm: Latched, now: datetime | None = None) -> None:
        """Tell of an alarm that was withheld, once nothing did before its event was over, and before ``now``."""
        own = self._running[alarm]
        if alarm.told:
            return
        what = about(alarm.subject.camera, alarm.subject.hole, alarm.holes)
        over = moved(own.decided_at, self._rules.usual.pause)
        until = over if now is None else min(over, moved(now, -MICROSECOND))
        at = self._circumstances.first_told(what, own.decided_at, until)
        if at is not None:
            alarm.told = True
            self._tell_events(alarm, own, at)

    def _tell_events(self, alarm: Latched, own: _Running, told_at: datetime | None = None) -> None:
        """Note that people know of the events of an alarm; ``told_at``: of one that was withheld until then."""
        for event, at in own.events.items():
            if self._found.get(event) is None:
                # Where only some of an event's crops are labelled, its alarm may have opened a little before them.
                early = self._truth.events[event].start - alarm.opened_on
                tells = own.true is True and early <= self._rules.usual.pause
                self._found[event] = (told_at or at) if tells else None
        own.events.clear()

    def _end(self, alarm: Latched) -> None:
        """End an alarm that held its holes until its event was over."""
        self._tell_belated(alarm)
        self._close(alarm, self._rules.usual.pause)

    def _close(self, alarm: Latched, after: timedelta = timedelta(0)) -> None:
        """Count an alarm; ``after``: how long it held its holes after its last crop."""
        own = self._running.pop(alarm)
        if not alarm.told:
            self._withheld_alarms += 1
            self._withheld |= own.events.keys()
            return
        self._counts[own.true] += 1
        if own.true is False:
            holes = 1 if alarm.holes is None else self._line.holes(alarm.subject.camera)
            self._false_time += holes * (alarm.last_at - alarm.opened_on + after)


def _any(known: Sequence[bool | None]) -> bool | None:
    """Whether one of these is true; None where nothing is known of any."""
    return True if True in known else False if False in known else None
