"""Opens alarms in the transaction of the decisions themselves: no proliv of the line is stored without its alarm."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.alarms.evidence import note_evidence
from monitor.alarms.latch import Latch, Latched, Rule, Sighting
from monitor.alarms.messages import tell
from monitor.store import alarms, kept
from monitor.store.alarms import NO_HOLE, AlarmCrop, Subject
from monitor.store.decisions import Raised
from monitor.times import moved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Alarms
    from monitor.store.alarms import AlarmRow
    from monitor.store.decisions import CropRow, Recorded

# A hole counts as active when a crop of it came in this time.
ACTIVE: Final = timedelta(minutes=1)


def rule_of(settings: Alarms) -> Rule:
    """The latch's rule, as configured."""
    return Rule(
        settings.k,
        settings.n,
        timedelta(seconds=settings.within_seconds),
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

    def __init__(self, settings: Alarms, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._rule = rule_of(settings)
        self._sinks = tuple(settings.sinks)
        self._most_before = settings.evidence_crops
        self._clock = clock

    def __call__(self, connection: Connection, crops: Sequence[CropRow], recorded: Recorded) -> tuple[Raised, ...]:
        """Latch the crops whose final decision is newly proliv; returns the alarms that were opened."""
        proliv = [row for row in crops if row.verdict == "proliv" and (row.path, row.sha256) in recorded.decided]
        if not proliv:
            return ()
        alarms.lock(connection)
        found = {(id_ := recorded.ids[row.path, row.sha256]): _sighting(id_, row) for row in proliv}
        for crop_id in alarms.known(connection, found):
            del found[crop_id]  # another model calls it proliv as well
        if not found:
            return ()
        return self._latch(connection, list(found.values()), max(row.seen_at for row in proliv))

    def _latch(self, connection: Connection, sightings: Sequence[Sighting], seen_at: datetime) -> tuple[Raised, ...]:
        rule = self._rule
        # As far as a crop may join, or a table may reach back.
        first, last = _span(sightings, max(rule.pause, rule.within))
        running = alarms.running(connection, {one.subject for one in sightings}, first, last)
        now = self._clock()
        before = [_latched(row, quiet_before=now - rule.pause) for row in running]
        latch = Latch(rule, _Line(connection, seen_at), before, self._waiting(connection, sightings))
        latch.see(sightings)
        for alarm in latch.changed:
            _store(connection, alarm, now)
            note_evidence(connection, alarm, self._most_before, now)
        crops = [_crop(one, None) for one in latch.waiting]
        crops += [_crop(one, alarm.id) for alarm in latch.changed for one in alarm.taken]
        new = {one.crop_id for one in sightings}
        alarms.add_crops(connection, [one for one in crops if one.crop_id in new])
        # Their files must not go before it is known whether they open one.
        kept.owe(connection, [one.crop_id for one in latch.waiting if one.crop_id in new], now)
        alarms.give_crops(connection, [one for one in crops if one.crop_id not in new and one.alarm_id is not None])
        for alarm in latch.changed:
            self._tell(connection, alarm, now)
        return tuple(
            Raised(alarm.id, _kind(alarm), alarm.subject.camera, alarm.subject.hole, alarm.highest.path)
            for alarm in latch.changed
            if alarm.opened and alarm.id is not None
        )

    def _tell(self, connection: Connection, alarm: Latched, now: datetime) -> None:
        assert alarm.id is not None
        if alarm.opened:
            tell(connection, self._sinks, alarm.id, "opened", now)
        elif alarm.table is not None:
            tell(connection, self._sinks, alarm.id, "closed", now)
        elif alarm.more:
            tell(connection, self._sinks, alarm.id, "more", now)

    def _waiting(self, connection: Connection, sightings: Sequence[Sighting]) -> list[Sighting]:
        if self._rule.k == 1:
            return []
        first, last = _span(sightings, self._rule.within)
        subjects = {one.subject for one in sightings}
        return [
            Sighting(row.crop_id, Subject(row.camera, row.hole, row.place), "", row.at, row.score, row.threshold)
            for row in alarms.waiting(connection, subjects, first, last)
        ]


class _Line:
    """Answers the latch from the store; of a camera's holes once in a transaction."""

    def __init__(self, connection: Connection, seen_at: datetime) -> None:
        self._connection = connection
        self._since = seen_at - ACTIVE
        self._holes: dict[str, int] = {}

    def decided_between(self, subject: Subject, path: str, first: int, last: int) -> int:
        return alarms.decided_between(self._connection, subject, path, first, last)

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
    return Sighting(crop_id, subject, row.path, at, row.decision_score, row.decision_threshold)


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
        # What joins after a quiet time is told, for the camera's clock may stand still, or repeat an hour.
        more=row.last_decided_at < quiet_before,
    )


def _kind(alarm: Latched) -> str:
    return "table" if alarm.holes is not None else "file" if alarm.subject.place else "hole"


def _store(connection: Connection, alarm: Latched, now: datetime) -> None:
    if alarm.table is not None:
        assert alarm.id is not None
        assert alarm.table.id is not None
        alarms.close(connection, alarm.id, ended_by="table", at=now)
        alarms.change(connection, alarm.id, {"part_of": alarm.table.id})
        alarms.move_crops(connection, alarm.id, alarm.table.id)
        return
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
    if alarm.id is None:
        kind = _kind(alarm)
        path = alarm.highest.path if kind == "file" else None
        opened = {"kind": kind, "path": path, "state": "open", "opened_at": now, "opened_on": alarm.opened_on}
        alarm.id = alarms.add(connection, {**alarm.subject._asdict(), **opened, **values})
        alarm.opened = True
    else:
        alarms.change(connection, alarm.id, values)


def _crop(sighting: Sighting, alarm_id: int | None) -> AlarmCrop:
    return AlarmCrop(sighting.crop_id, alarm_id, *sighting.subject, sighting.at, sighting.score, sighting.threshold)
