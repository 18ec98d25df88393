"""What an alarm was decided on is noted in the transaction of the decision."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from monitor.alarms.raising import Raising
from monitor.configuration.settings import Alarms
from monitor.store import alarm_evidence, alarm_members, kept
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def evidence(line: Line, alarm: int = 1) -> dict[int, str]:
    with line.database.read() as connection:
        return {row.crop_id: row.role for row in alarm_evidence.of_alarm(connection, alarm)}


def due(line: Line) -> list[int]:
    with line.database.read() as connection:
        return [row.crop_id for row in kept.owed(connection, NOW, 100)]


def test_the_crop_that_opens_an_alarm_and_the_last_ones_of_its_hole_before_it(line: Line) -> None:
    line.decide(*(line.crop(number, proliv=False) for number in range(5)))  # 1 to 5
    line.decide(line.crop(6, hole=11, proliv=False), line.crop(6, camera="D", proliv=False))
    line.decide(line.crop(6, source="folder", proliv=False))
    line.decide(line.crop(7, proliv=False), line.crop(8), line.crop(9, proliv=False))  # 9, 10, 11
    assert evidence(line) == {4: "before", 5: "before", 9: "before", 10: "opened"}
    assert due(line) == [4, 5, 9, 10]


def test_what_came_in_together_is_told_by_its_times(line: Line) -> None:
    line.decide(line.crop(9), *(line.crop(9 - number, proliv=False) for number in (1, 2, 3, 4, -1)))
    assert evidence(line) == {1: "opened", 2: "before", 3: "before", 4: "before"}


def test_where_the_clock_of_a_camera_was_put_back_the_order_of_deciding_tells(line: Line) -> None:
    line.decide(*(line.crop(1000 + number, proliv=False) for number in range(4)))
    line.decide(line.crop(0, proliv=False))
    line.decide(line.crop(1))
    assert evidence(line) == {3: "before", 4: "before", 5: "before", 6: "opened"}


def test_each_crop_with_the_highest_margin_and_no_other_that_joins(line: Line) -> None:
    line.decide(line.crop(0))
    line.decide(line.crop(1), line.crop(2, decision_score=0.5), line.crop(3, decision_score=0.4))
    line.decide(line.crop(4), line.crop(5, decision_score=0.6))
    assert evidence(line) == {1: "opened", 3: "highest", 6: "highest"}
    assert due(line) == [1, 3, 6]


def test_all_crops_that_open_an_alarm_and_those_that_wait_meanwhile(line: Line) -> None:
    line.raising = Raising(Alarms(k=2, n=9, evidence_crops=1), lambda: line.now)
    line.decide(line.crop(0, proliv=False), line.crop(1, proliv=False), line.crop(2))
    assert line.alarms() == []
    assert due(line) == [3]
    line.decide(line.crop(3, proliv=False), line.crop(4))
    assert evidence(line) == {2: "before", 3: "opened", 5: "opened"}


def test_an_alarm_of_the_table_takes_over_what_its_parts_were_decided_on(line: Line) -> None:
    holes = (1, 2, 3)
    line.decide(*(line.crop(0, hole, proliv=False) for hole in holes))
    line.decide(line.crop(1, 1))
    line.decide(line.crop(2, 2), line.crop(2, 3))
    first, table = line.alarms()
    assert (first.part_of, table.kind) == (table.id, "table")
    assert evidence(line, first.id) == {}
    found = evidence(line, table.id)
    assert {crop_id for crop_id, role in found.items() if role == "before"} == {1, 2, 3}
    assert {crop_id for crop_id, role in found.items() if role == "opened"} == {4, 5, 6}


def test_none_before_it_where_none_is_wanted_and_where_no_hole_is_known(line: Line) -> None:
    line.decide(line.crop(0, None, proliv=False), line.crop(1, None))
    assert evidence(line) == {2: "opened"}
    line.raising = Raising(Alarms(evidence_crops=0), lambda: line.now)
    line.decide(line.crop(2, proliv=False), line.crop(3))
    assert evidence(line, 2) == {4: "opened"}


def test_nothing_is_noted_where_the_transaction_fails(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_members, "add_crops", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        line.decide(line.crop(0))
    assert due(line) == []
    assert line.alarms() == []


def test_the_last_crops_are_looked_for_only_among_the_newest(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_evidence, "LOOK_BACK", 3)
    line.decide(line.crop(0, proliv=False))
    line.decide(*(line.crop(1, 11, proliv=False) for _ in range(3)))
    line.now += timedelta(seconds=1)
    line.decide(line.crop(2))
    assert evidence(line) == {5: "opened"}


def test_a_flood_of_files_that_open_alarms_is_noted_at_once(line: Line) -> None:
    rows = [line.crop(0, None) for _ in range(100)]
    statements: list[str] = []
    event.listen(line.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    line.decide(*rows)
    assert len(evidence(line, 100)) == 1
    assert due(line) == list(range(1, 101))
    for table in ("alarm_evidence", "kept_crops"):
        assert sum(statement.startswith(f"INSERT INTO {table} ") for statement in statements) == 1
