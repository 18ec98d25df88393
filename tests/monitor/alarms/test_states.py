"""Which holes are in alarm, on both databases."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.acknowledgement import acknowledge, close
from monitor.alarms.belated import tell_belated
from monitor.alarms.cast_context import CurrentCast
from monitor.alarms.states import hole_states
from monitor.api import HoleState
from monitor.store import pauses
from tests.support.alarm_line import SETTINGS, Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def states(line: Line) -> list[HoleState]:
    with line.database.read() as connection:
        return hole_states(connection)


def ack(line: Line, alarm_id: int, seconds: float = 0) -> None:
    at = NOW + timedelta(seconds=seconds)
    acknowledge(line.database, SETTINGS, alarm_id, by="anna", note=None, at=at, zone=UTC)


def test_a_hole_is_in_alarm_until_each_of_its_alarms_is_acknowledged_and_quiet_when_all_are_closed(line: Line) -> None:
    assert states(line) == []
    line.decide(line.crop(0, hole=10, camera="C"))
    line.decide(line.crop(500, hole=10, camera="C"))  # another event, while the first still waits
    assert states(line) == [HoleState("hole", "C", 10, "alarm", 2)]
    ack(line, 2)
    assert states(line) == [HoleState("hole", "C", 10, "alarm", 1)]
    ack(line, 1)
    assert states(line) == [HoleState("hole", "C", 10, "acknowledged", 2)]
    for alarm_id in (2, 1):
        close(line.database, SETTINGS, alarm_id, by="anna", note=None, at=NOW, zone=UTC)
    assert states(line) == []


def test_files_without_a_hole_count_together(line: Line) -> None:
    line.decide(line.crop(0, hole=None, camera=None), line.crop(1, hole=None, camera=None))
    line.decide(line.crop(2, hole=None, camera="C"))
    assert states(line) == [HoleState("file", None, None, "alarm", 2), HoleState("file", "C", None, "alarm", 3)]


def test_the_holes_of_a_table_are_in_alarm_with_it(line: Line) -> None:
    line.decide(*(line.crop(0, hole=hole, proliv=False) for hole in range(1, 9)), line.crop(0, hole=1))
    line.decide(*(line.crop(1, hole=hole) for hole in range(2, 7)))
    (table,) = (row for row in line.alarms() if row.state == "open")
    camera = table.camera or None
    holes = [HoleState("hole", camera, hole, "alarm", table.id) for hole in range(1, 7)]
    assert states(line) == [*holes, HoleState("table", camera, None, "alarm", table.id)]
    ack(line, table.id)
    assert {one.state for one in states(line)} == {"acknowledged"}
    close(line.database, SETTINGS, table.id, by="anna", note=None, at=NOW, zone=UTC)
    assert states(line) == []


def test_what_nobody_is_told_of_in_a_pause_is_quiet_until_it_is_told(line: Line) -> None:
    with line.database.write() as connection:
        until = NOW + timedelta(seconds=30)
        pauses.add(connection, camera="C", hole=None, begins_at=NOW, ends_at=until, reason="work", author="anna")
    line.decide(*(line.crop(0, hole=hole, proliv=False, camera="C") for hole in range(1, 5)), line.crop(0, hole=10))
    line.decide(*(line.crop(1, hole=hole) for hole in (1, 2, 3, 4)))
    assert [row.kind for row in line.alarms() if row.state == "open"] == ["table"]
    assert states(line) == []
    (told,) = tell_belated(line.database, SETTINGS, until, CurrentCast(SETTINGS))
    assert HoleState("table", "C", None, "alarm", told.id) in states(line)
    assert len(states(line)) == 6
