"""Casts and the alarms that open in them, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from monitor.alarms import casting
from monitor.alarms.belated import tell_belated
from monitor.alarms.cast_context import CurrentCast
from monitor.configuration.settings import Alarms
from monitor.errors import DataError
from monitor.store import alarms, casts, outbox
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database
    from monitor.words import Phase

SETTINGS = Alarms.model_validate({"sinks": {"siren": {"kind": "log"}}, "phases": {"start": {"k": 2, "n": 3}}})


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database, SETTINGS)


def start(line: Line, number: str = "4711", phase: Phase = "start") -> casts.CastRow | None:
    return casting.start(line.database, number, "6063", phase, by="anna", at=line.now)


def change(line: Line, phase: Phase) -> casts.CastRow | None:
    return casting.change_phase(line.database, phase, by="anna", at=line.now)


def told(line: Line) -> list[tuple[str, str | None, str | None]]:
    with line.database.read() as connection:
        rows = outbox.deliveries(connection, delivered=True, most=None)
    return [(row.kind, row.alarm["cast"], row.alarm["phase"]) for row in rows]


def belated(line: Line) -> list[AlarmRow]:
    return tell_belated(line.database, SETTINGS, line.now, CurrentCast(SETTINGS))


def test_an_alarm_has_the_cast_and_the_phase_in_which_it_opened(line: Line) -> None:
    line.decide(*(line.crop(0, hole=hole, proliv=False) for hole in range(5, 20)), line.crop(0, hole=1))
    start(line, phase="steady")
    line.decide(line.crop(1, hole=2))
    change(line, "end")
    line.decide(line.crop(2, hole=2), line.crop(2, hole=3))
    casting.end(line.database, by="anna", at=line.now)
    line.decide(line.crop(3, hole=4))
    assert [(row.hole, row.cast, row.phase) for row in line.alarms()] == [
        (1, None, None), (2, "4711", "steady"), (3, "4711", "end"), (4, None, None),
    ]  # fmt: skip
    assert told(line)[1] == ("opened", "4711", "steady")
    with line.database.read() as connection:
        assert [row.hole for row in alarms.listed(connection, closed=True, most=None, cast="4711")] == [3, 2]


def test_k_and_n_may_differ_in_a_phase(line: Line) -> None:
    start(line)
    assert line.decide(line.crop(0)) == ()
    assert len(line.decide(line.crop(1))) == 1
    change(line, "steady")
    assert len(line.decide(line.crop(1, hole=11))) == 1


def test_while_idle_alarms_are_recorded_and_told_once_something_is_cast_and_they_go_on(line: Line) -> None:
    change(line, "idle")
    (raised,) = line.decide(line.crop(0))
    assert raised.withheld == "idle"
    assert told(line) == []
    line.now += timedelta(seconds=30)
    assert belated(line) == []
    start(line, phase="steady")
    assert [row.id for row in belated(line)] == [1]
    # It opened while nothing was cast.
    assert told(line) == [("opened", None, "idle")]


def test_idle_is_not_believed_for_longer_than_it_may_be(line: Line) -> None:
    change(line, "idle")
    line.now += timedelta(seconds=SETTINGS.cast.maximum_age_seconds + 1)
    (raised,) = line.decide(line.crop(0))
    assert raised.withheld is None


def test_what_a_file_said_is_believed_by_none_that_does_not_follow_it(line: Line) -> None:
    with line.database.write() as connection:
        casts.say(connection, None, "idle", line.now, source="file")
    (raised,) = line.decide(line.crop(0))
    assert raised.withheld is None


def test_a_cast_ends_the_one_before_and_what_does_not_run_cannot_change(line: Line) -> None:
    with pytest.raises(DataError, match="no cast runs; begin one: monitor cast start NUMBER"):
        change(line, "steady")
    with pytest.raises(DataError, match="no cast runs, so there is none to end"):
        casting.end(line.database, by="anna", at=line.now)
    assert start(line) is None
    with pytest.raises(DataError, match="cast 4711 runs already; change its phase: monitor cast phase PHASE"):
        start(line)
    before = start(line, "4712")
    assert before is not None
    assert before.number == "4711"
    with line.database.read() as connection:
        assert [(row.number, row.ended_at is None) for row in casts.listed(connection, None)] == [
            ("4712", True), ("4711", False),
        ]  # fmt: skip
    ended = casting.end(line.database, by="ben", at=line.now)
    assert ended is not None
    assert ended.number == "4712"
    # A number that comes again is another cast, and the one that is meant.
    start(line)
    assert casting.require(line.database, "4711").id == 3
    with pytest.raises(DataError, match="there is no cast 4713; see: monitor cast list"):
        casting.require(line.database, "4713")


def test_idle_without_a_cast_can_be_ended(line: Line) -> None:
    assert change(line, "idle") is None
    assert casting.end(line.database, by="anna", at=line.now) is None
    (raised,) = line.decide(line.crop(0))
    assert raised.withheld is None


def test_of_two_people_one_speaks_of_the_cast_at_a_time(line: Line) -> None:
    statements: list[str] = []
    event.listen(line.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    start(line)
    change(line, "steady")
    casting.end(line.database, by="anna", at=line.now)
    read = [number for number, statement in enumerate(statements) if "FROM casts" in statement]
    locked = [number for number, statement in enumerate(statements) if "pg_advisory_xact_lock" in statement]
    if line.database.file is None:
        assert len(locked) == 3
        assert all(number + 1 in read for number in locked)
    else:  # SQLite has a single writer
        assert locked == []
