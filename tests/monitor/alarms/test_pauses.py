"""Alarms in pauses, on both databases: recorded, not told, and told when their event outlasts the pause."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms import pauses
from monitor.alarms.acknowledgement import acknowledge, close, end_quiet
from monitor.alarms.belated import tell_belated
from monitor.alarms.cast_context import CurrentCast
from monitor.configuration.settings import Alarms
from monitor.errors import DataError
from monitor.store import alarms, outbox
from monitor.store import pauses as stored
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database

SETTINGS = Alarms(sinks={"siren": {"kind": "log"}})


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database, SETTINGS)


def pause(line: Line, minutes: float = 60, camera: str | None = None, hole: int | None = None) -> int:
    with line.database.write() as connection:
        until = line.now + timedelta(minutes=minutes)
        return stored.add(
            connection, camera=camera, hole=hole, begins_at=line.now, ends_at=until, reason="work", author="anna"
        ).id


def told(line: Line) -> list[tuple[str, int]]:
    with line.database.read() as connection:
        return [(row.kind, row.alarm_id) for row in outbox.deliveries(connection, delivered=True, most=None)]


def after(line: Line, seconds: float) -> None:
    line.now = NOW + timedelta(seconds=seconds)


def belated(line: Line) -> list[AlarmRow]:
    return tell_belated(line.database, SETTINGS, line.now, CurrentCast(SETTINGS))


def test_in_a_pause_alarms_are_recorded_with_it_and_nobody_is_told(line: Line) -> None:
    number = pause(line, hole=10)
    paused, other = line.decide(line.crop(0), line.crop(0, hole=11))
    assert (paused.withheld, other.withheld) == ("pause", None)
    line.decide(line.crop(1))
    assert [(row.withheld, row.pause_id, row.state, row.crops) for row in line.alarms()] == [
        ("pause", number, "open", 2), (None, None, "open", 1),
    ]  # fmt: skip
    assert told(line) == [("opened", 2)]
    with line.database.read() as connection:
        assert alarms.running_counts(connection) == (1, 0, NOW, 1)


def test_an_event_that_outlasts_the_pause_is_told_once_it_is_over(line: Line) -> None:
    pause(line, minutes=2)
    line.decide(line.crop(0))
    after(line, 100)
    assert line.decide(line.crop(60)) == ()
    after(line, 119)
    assert belated(line) == []
    assert told(line) == []
    after(line, 120)
    assert [row.id for row in belated(line)] == [1]
    assert belated(line) == []
    assert told(line) == [("opened", 1)]
    (alarm,) = line.alarms()
    assert (alarm.withheld, alarm.pause_id, alarm.state) == (None, 1, "open")
    # How long it waits for a person counts from when it was told.
    assert (alarm.opened_at, alarm.told_at) == (NOW, line.now)
    with line.database.read() as connection:
        assert alarms.running_counts(connection) == (1, 0, line.now, 0)
    # From now on it is an alarm like any other.
    assert end_quiet(line.database, SETTINGS, NOW + timedelta(hours=1)) == []
    close(line.database, SETTINGS, 1, by="anna", note=None, at=line.now, zone=UTC)
    assert told(line) == [("opened", 1), ("closed", 1)]


def test_a_crop_after_the_pause_tells_of_the_alarm_that_it_joins(line: Line) -> None:
    pause(line, minutes=1)
    line.decide(line.crop(0), line.crop(1))
    after(line, 61)
    line.decide(line.crop(50))
    assert told(line) == [("opened", 1)]
    assert [(row.withheld, row.crops, row.told_at) for row in line.alarms()] == [(None, 3, line.now)]


def test_an_event_that_ends_within_the_pause_is_closed_by_itself_and_never_told(line: Line) -> None:
    pause(line)
    line.decide(line.crop(0))
    after(line, 61)
    assert [row.id for row in end_quiet(line.database, SETTINGS, line.now)] == [1]
    assert [(row.state, row.ended_by, row.withheld) for row in line.alarms()] == [("closed", "quiet", "pause")]
    after(line, 2 * 3600)
    assert belated(line) == []
    assert told(line) == []


def test_the_end_of_an_alarm_that_was_told_before_is_told_in_the_pause(line: Line) -> None:
    line.decide(line.crop(0))
    pause(line)
    line.decide(line.crop(1))
    acknowledge(line.database, SETTINGS, 1, by="anna", note=None, at=line.now, zone=UTC)
    end_quiet(line.database, SETTINGS, NOW + timedelta(seconds=100))
    assert told(line) == [("opened", 1), ("acknowledged", 1), ("closed", 1)]
    assert [(row.withheld, row.pause_id) for row in line.alarms()] == [(None, None)]


def test_an_alarm_that_was_acknowledged_in_the_pause_is_told_with_that(line: Line) -> None:
    pause(line, minutes=1)
    line.decide(line.crop(0))
    acknowledge(line.database, SETTINGS, 1, by="anna", note=None, at=line.now, zone=UTC)
    assert told(line) == []
    after(line, 60)
    assert [row.id for row in belated(line)] == [1]
    assert told(line) == [("opened", 1), ("acknowledged", 1)]


def test_a_table_that_takes_in_what_was_told_is_told_and_one_that_takes_in_nothing_told_is_not(line: Line) -> None:
    ordinary = [line.crop(0, hole=hole, proliv=False) for hole in range(1, 5)]
    line.decide(*ordinary, line.crop(0, hole=1))
    pause(line)
    line.decide(*(line.crop(1, hole=hole) for hole in (2, 3)))
    table = line.alarms()[-1]
    assert table.kind == "table"
    assert told(line) == [("opened", 1), ("opened", table.id), ("closed", 1)]
    again = [line.crop(300, hole=hole, camera="D", proliv=False) for hole in range(1, 5)]
    line.decide(*again, *(line.crop(300, hole=hole, camera="D") for hole in (1, 2, 3)))
    assert line.alarms()[-1].withheld == "pause"
    assert len(told(line)) == 3


def test_a_pause_is_ended_once_and_only_while_it_runs(line: Line) -> None:
    number = pause(line, camera="C")
    line.decide(line.crop(0))
    after(line, 5)
    row = pauses.end(line.database, number, by="ben", at=line.now, zone=UTC)
    assert (row.ends_at, row.ended_by, row.scope) == (line.now, "ben", "camera C")
    assert [alarm.id for alarm in belated(line)] == [1]
    with pytest.raises(DataError, match=r"pause 1 \(camera C\) was ended by ben at .*; nothing is changed"):
        pauses.end(line.database, number, by="eva", at=line.now, zone=UTC)
    with pytest.raises(DataError, match="there is no pause 2; see: monitor pause list --over"):
        pauses.end(line.database, 2, by="eva", at=line.now, zone=UTC)
    over = pause(line, minutes=1)
    with pytest.raises(DataError, match=r"pause 2 \(everything\) ended at .*; nothing is changed"):
        pauses.end(line.database, over, by="eva", at=line.now + timedelta(minutes=2), zone=UTC)
