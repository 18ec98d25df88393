"""Opens alarms in the transaction of the decisions themselves: no proliv of the line is stored without its alarm."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.alarms.cast_context import CurrentCast
from monitor.alarms.evidence import note_evidence
from monitor.alarms.latch import Latch, Latched, Rule, Sighting
from monitor.alarms.messages import tell
from monitor.alarms.telling import Withheld, about, kinds_to_tell, withheld
from monitor.store import alarm_members, alarms, kept, pauses
from monitor.store.alarm_members import AlarmCrop
from monitor.store.alarms import NO_HOLE, PROLIV, UNUSUAL, Subject
from monitor.store.decisions import Raised
from monitor.times import moved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from sqlalchemy.engine import Connection

    from monitor.alarms.messages import Kind
    from monitor.configuration.settings import Alarms
    from monitor.formulas.casts import Context
    from monitor.store.alarms import AlarmRow
    from monitor.store.decisions import CropRow, Recorded
    from monitor.store.pauses import PauseRow

# A hole counts as active when a crop of it came in this time.
ACTIVE: Final = timedelta(minutes=1)


def rule_of(settings: Alarms, phase: str | None = None) -> Rule:
    """The latch's rule, as configured for a phase of the cast; None where it is not known."""
    k, n, within_seconds = settings.numbers_in(phase)
    return Rule(
        k,
        n,
        timedelta(seconds=within_seconds),
        timedelta(seconds=settings.pause_seconds),
        settings.table_share,
    )


def subject_of(camera: str | None, hole: int | None, path: str) -> Subject:
    """What a crop is of: its hole, or the file itself where its name tells no hole; ``path``: as it is stored."""
    if hole is None:
        return Subject(camera or "", NO_HOLE, hashlib.sha256(path.encode()).hexdigest())
    return Subject(camera or "", hole)


class Raising:
    """What `monitor.scoring.record.record` calls in its transaction.

    It remembers nothing between two calls: whatever happens to the program, the store has all that the latch knows.
    """

    def __init__(
        self,
        settings: Alarms,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        followed: Callable[[], bool] = lambda: False,
    ) -> None:
        """``followed``: as for `monitor.alarms.cast_context.CurrentCast`."""
        self._settings = settings
        self._cast = CurrentCast(settings, followed)
        self._sinks = tuple(settings.sinks)
        self._most_before = settings.evidence_crops
        self._unusual = settings.unusual
        self._clock = clock

    def use_sinks(self, sinks: Iterable[str]) -> None:
        """Tell these sinks from now on."""
        self._sinks = tuple(sinks)

    def __call__(self, connection: Connection, crops: Sequence[CropRow], recorded: Recorded) -> tuple[Raised, ...]:
        """Latch the crops whose final decision is newly a sign of an event; returns the alarms that were opened."""
        signs = {PROLIV: [row for row in crops if row.verdict == "proliv"]}
        if self._unusual:
            signs[UNUSUAL] = [row for row in crops if row.unusual]
        raised: list[Raised] = []
        for sign, rows in signs.items():
            new = [row for row in rows if (row.path, row.sha256) in recorded.decided]
            if new:
                raised += self._see(connection, sign, new, recorded)
        return tuple(raised)

    def _see(self, connection: Connection, sign: str, rows: Sequence[CropRow], recorded: Recorded) -> Iterable[Raised]:
        alarms.lock(connection)
        found = {(id_ := recorded.ids[row.path, row.sha256]): _sighting(id_, row) for row in rows}
        known = alarm_members.known(connection, found)
        if sign == PROLIV:
            # What was unusual is proliv by the decision of another model.
            alarm_members.forget_crops(connection, [crop_id for crop_id, was in known.items() if was == UNUSUAL])
        for crop_id, was in known.items():
            if was in (sign, PROLIV):
                del found[crop_id]  # another model calls it the same
        if not found:
            return ()
        now = self._clock()
        cast = self._cast.read(connection, now)
        moment = _Moment(sign, now, cast, rule_of(self._settings, cast.phase), pauses.running(connection, now))
        return self._latch(connection, moment, list(found.values()), max(row.seen_at for row in rows))

    def _latch(
        self, connection: Connection, moment: _Moment, sightings: Sequence[Sighting], seen_at: datetime
    ) -> Iterable[Raised]:
        rule, sign = moment.rule, moment.sign
        # As far as a crop may join, or a table may reach back.
        first, last = _span(sightings, max(rule.pause, rule.within))
        running = alarms.running(connection, sign, {one.subject for one in sightings}, first, last)
        before = [_latched(row, quiet_before=moment.now - rule.pause) for row in running]
        latch = Latch(rule, _Line(connection, seen_at), before, _waiting(connection, moment, sightings))
        latch.see(sightings)
        reasons = [_store(connection, alarm, moment, latch.changed) for alarm in latch.changed]
        note_evidence(connection, latch.changed, self._most_before, moment.now)
        crops = [_crop(one, None, sign) for one in latch.waiting]
        crops += [_crop(one, alarm.id, sign) for alarm in latch.changed for one in alarm.taken]
        new = {one.crop_id for one in sightings}
        alarm_members.add_crops(connection, [one for one in crops if one.crop_id in new])
        # Their files must not go before it is known whether they open one.
        kept.owe(connection, [one.crop_id for one in latch.waiting if one.crop_id in new], moment.now)
        waited = [one for one in crops if one.crop_id not in new and one.alarm_id is not None]
        alarm_members.give_crops(connection, waited)
        for alarm, reason in zip(latch.changed, reasons, strict=True):
            self._tell(connection, alarm, reason, moment.now)
        return [
            Raised(
                *(alarm.id, _kind(alarm), alarm.subject.camera, alarm.subject.hole, _path(alarm)),
                withheld=reason.reason if reason else None,
                sign=sign,
            )
            for alarm, reason in zip(latch.changed, reasons, strict=True)
            if alarm.opened and alarm.id is not None
        ]

    def _tell(self, connection: Connection, alarm: Latched, reason: Withheld | None, now: datetime) -> None:
        assert alarm.id is not None
        change: Kind = "opened" if alarm.opened else "closed" if alarm.table is not None else "more"
        kinds = kinds_to_tell(
            change,
            was_told=alarm.told,
            withheld_now=reason,
            worth_telling=alarm.more,
            acknowledged=alarm.state == "acknowledged",
        )
        for kind in kinds:
            tell(connection, self._sinks, alarm.id, kind, now)


class _Moment(NamedTuple):
    """What holds when crops with a sign are latched: the time, the cast, the latch's rule and the pauses that run."""

    sign: str
    now: datetime
    cast: Context
    rule: Rule
    pauses: Sequence[PauseRow]


class _Line:
    """Answers the latch from the store; of a camera's holes once in a transaction."""

    def __init__(self, connection: Connection, seen_at: datetime) -> None:
        self._connection = connection
        self._since = seen_at - ACTIVE
        self._holes: dict[str, int] = {}

    def decided_among(self, crops: Sequence[Sighting]) -> int:
        subject, path = crops[0].subject, max(one.path for one in crops)
        first_id = min(one.crop_id for one in crops)
        return alarms.decided_between(self._connection, subject, path, first_id, crops[0].at, crops[-1].at)

    def active_holes(self, camera: str) -> int:
        if camera not in self._holes:
            self._holes[camera] = alarms.active_holes(self._connection, camera, self._since)
        return self._holes[camera]


def _span(sightings: Sequence[Sighting], around: timedelta) -> tuple[datetime, datetime]:
    """The first and the last time of crops, and so much before and after them."""
    times = [one.at for one in sightings]
    return moved(min(times), -around), moved(max(times), around)


def _sighting(crop_id: int, row: CropRow) -> Sighting:
    assert row.decision_score is not None
    assert row.decision_threshold is not None
    subject = subject_of(row.camera, row.hole, row.path)
    at = row.captured_at or row.seen_at
    score, threshold = row.decision_score, row.decision_threshold
    against = [one for one in row.scores if one.verdict == "proliv"]
    if row.unusual and against:
        # Those of the model that calls it proliv by most: the final decision does not.
        most = max(against, key=lambda one: one.score - one.threshold)
        score, threshold = most.score, most.threshold
    return Sighting(crop_id, subject, row.path, at, score, threshold)


def _latched(row: AlarmRow, *, quiet_before: datetime) -> Latched:
    subject = Subject(row.camera, row.hole, row.place)
    return Latched(
        subject,
        row.opened_on,
        row.first_at,
        row.last_at,
        row.crops,
        Sighting(row.highest_crop_id, subject, row.path or "", row.last_at, row.score, row.threshold),
        id=row.id,
        state=row.state,
        holes=None if row.holes is None else set(row.holes),
        told=row.withheld is None,
        # What joins after a quiet time is told, for the camera's clock may stand still, or repeat an hour.
        more=row.last_decided_at < quiet_before,
    )


def _kind(alarm: Latched) -> str:
    return "table" if alarm.holes is not None else "file" if alarm.subject.place else "hole"


def _path(alarm: Latched) -> str:
    """That of the highest crop that came now: of those that waited none is read, and those of a file have the same."""
    return max((one for one in alarm.taken if one.path), key=lambda one: one.margin).path


def _waiting(connection: Connection, moment: _Moment, sightings: Sequence[Sighting]) -> list[Sighting]:
    """The crops that have opened no alarm and may open one together with these."""
    if moment.rule.k == 1:
        return []
    first, last = _span(sightings, moment.rule.within)
    subjects = {one.subject for one in sightings}
    return [
        Sighting(row.crop_id, Subject(row.camera, row.hole, row.place), "", row.at, row.score, row.threshold)
        for row in alarm_members.waiting(connection, moment.sign, subjects, first, last)
    ]


def _store(connection: Connection, alarm: Latched, moment: _Moment, changed: Sequence[Latched]) -> Withheld | None:
    """Store an alarm, one of those that have changed; returns why it is not to be told now."""
    now = moment.now
    if alarm.table is not None:
        assert alarm.id is not None
        assert alarm.table.id is not None
        alarms.close(connection, alarm.id, ended_by="table", at=now)
        alarms.change(connection, alarm.id, {"part_of": alarm.table.id})
        alarm_members.move_crops(connection, alarm.id, alarm.table.id)
        return None
    replaces_told = any(part.told for part in changed if part.table is alarm)
    what = about(alarm.subject.camera, alarm.subject.hole, alarm.holes)
    reason = withheld(what, moment.pauses, idle=moment.cast.idle, replaces_told=replaces_told)
    values: dict[str, Any] = {
        "first_at": alarm.first_at,
        "last_at": alarm.last_at,
        "last_decided_at": now,
        "crops": alarm.crops,
        "highest_crop_id": alarm.highest.crop_id,
        "score": alarm.highest.score,
        "threshold": alarm.highest.threshold,
        "holes": None if alarm.holes is None else sorted(alarm.holes),
    }
    if not alarm.told:
        values["withheld"] = reason.reason if reason else None
        if alarm.id is not None and reason is None:
            values["told_at"] = now
        if reason is not None and reason.pause_id is not None:
            values["pause_id"] = reason.pause_id
    if alarm.id is None:
        kind = _kind(alarm)
        path = _path(alarm) if kind == "file" else None
        values |= {"kind": kind, "path": path, "state": "open", "opened_at": now, "opened_on": alarm.opened_on}
        values |= {"sign": moment.sign, "cast_id": moment.cast.cast_id, "phase": moment.cast.phase}
        alarm.id = alarms.add(connection, {**alarm.subject._asdict(), **values})
        alarm.opened = True
    else:
        alarms.change(connection, alarm.id, values)
    return reason


def _crop(sighting: Sighting, alarm_id: int | None, sign: str) -> AlarmCrop:
    measured = sighting.at, sighting.score, sighting.threshold
    return AlarmCrop(sighting.crop_id, alarm_id, *sighting.subject, *measured, sign=sign)
