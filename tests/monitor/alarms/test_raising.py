"""Alarms in the transaction of the decisions, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select

from monitor.alarms.acknowledgement import acknowledge, close, end_quiet
from monitor.alarms.raising import Raising
from monitor.configuration.settings import Alarms
from monitor.errors import DataError
from monitor.store import alarm_members, alarms, decisions
from monitor.store.alarms import Subject
from monitor.store.database.schema import scores
from monitor.store.decisions import Raised
from monitor.times import FIRST, LAST
from tests.support.alarm_line import SETTINGS, Line
from tests.support.stored_crops import NOW, add_model, calibrate

if TYPE_CHECKING:
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def test_a_proliv_opens_an_alarm_and_more_of_the_event_join_it(line: Line) -> None:
    (raised,) = line.decide(line.crop(0, proliv=False), line.crop(1), line.crop(2, proliv=False), line.crop(3))
    assert raised == Raised(1, "hole", "C", 10, "/inbox/2.jpg")
    line.now += timedelta(seconds=30)
    assert line.decide(line.crop(40)) == ()
    (alarm,) = line.alarms()
    assert (alarm.kind, alarm.camera, alarm.hole, alarm.state, alarm.crops) == ("hole", "C", 10, "open", 3)
    assert (alarm.first_at, alarm.last_at) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=40))
    assert (alarm.opened_at, alarm.last_decided_at) == (NOW, NOW + timedelta(seconds=30))
    assert line.members() == [(2, 1), (4, 1), (5, 1)]


def test_crops_that_are_not_proliv_cost_no_statement(line: Line) -> None:
    statements: list[str] = []
    rows = [line.crop(number, proliv=False) for number in range(5)]
    with line.database.write() as connection:
        recorded = decisions.record(connection, rows)
        event.listen(line.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
        assert line.raising(connection, rows, recorded) == ()
        assert statements == []
    assert line.alarms() == []


def test_repeating_a_batch_changes_nothing(line: Line) -> None:
    crop = line.crop(0)
    assert len(line.decide(crop)) == 1
    assert line.decide(crop) == ()
    assert [alarm.crops for alarm in line.alarms()] == [1]


def test_a_second_model_that_says_proliv_as_well_makes_no_second_alarm_and_one_that_changes_the_verdict_makes_one(
    line: Line,
) -> None:
    with line.database.write() as connection:
        other = calibrate(connection, add_model(connection, "b", "vae"))
    assert other.calibration_id is not None
    again = line.proliv._replace(model_id=other.id, calibration_id=other.calibration_id)
    known, passed = line.crop(0), line.crop(1, hole=11, proliv=False)
    line.decide(known, passed)
    assert line.decide(known._replace(scores=(again,))) == ()
    replaced = passed._replace(scores=(again,), verdict="proliv", decision_score=0.01)
    assert [one.hole for one in line.decide(replaced)] == [11]


def test_a_proliv_of_a_model_in_the_shadow_is_no_alarm(line: Line) -> None:
    with line.database.write() as connection:
        other = calibrate(connection, add_model(connection, "b", "vae"))
    assert other.calibration_id is not None
    tried = line.proliv._replace(model_id=other.id, calibration_id=other.calibration_id)
    passed = line.crop(0, proliv=False)
    assert line.decide(passed._replace(trials=(tried,))) == ()
    # Nor when the shadow is asked about a crop that was decided before.
    known = line.crop(1, hole=11, proliv=False)
    line.decide(known)
    assert line.decide(known._replace(trials=(tried,))) == ()
    with line.database.read() as connection:
        assert len(connection.execute(select(scores.c.crop_id).where(scores.c.model_id == other.id)).all()) == 2
    assert line.alarms() == []
    assert line.members() == []


def test_nothing_is_stored_where_the_transaction_fails(line: Line) -> None:
    def fail() -> None:
        row = line.crop(0)
        with line.database.write() as connection:
            line.raising(connection, [row], decisions.record(connection, [row]))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert line.alarms() == []
    assert line.members() == []


def test_the_latch_goes_on_after_a_restart(line: Line) -> None:
    settings = Alarms(k=2, n=3)
    line.raising = Raising(settings, lambda: line.now)
    assert line.decide(line.crop(0)) == ()
    assert line.members() == [(1, None)]
    line.raising = Raising(settings, lambda: line.now)
    line.decide(line.crop(1, hole=11, proliv=False), line.crop(1, proliv=False))
    assert len(line.decide(line.crop(2))) == 1
    assert line.members() == [(1, 1), (4, 1)]
    assert [alarm.crops for alarm in line.alarms()] == [2]


def test_proliv_among_too_many_decisions_wait(line: Line) -> None:
    line.raising = Raising(Alarms(k=2, n=3), lambda: line.now)
    line.decide(line.crop(0), line.crop(1, proliv=False), line.crop(2, proliv=False), line.crop(3))
    assert line.alarms() == []
    assert line.members() == [(1, None), (4, None)]


def test_a_backlog_in_any_order_opens_the_alarm_and_its_other_crops_are_counted_by_their_times(line: Line) -> None:
    line.raising = Raising(Alarms(k=3, n=4, within_seconds=10), lambda: line.now)
    proliv = [line.crop(second, hole=1) for second in (100, 101, 102)]
    ordinary = [line.crop(second, hole=1, proliv=False) for second in (0, 200, 1, 201, 2, 202)]
    apart = [line.crop(second, hole=2) for second in (100, 103, 106)]
    between = [line.crop(second, hole=2, proliv=False) for second in (101, 102, 104, 105)]
    for rows in zip(proliv, ordinary[:3], ordinary[3:], apart, between[:3], strict=True):
        line.decide(*rows)
    assert [(alarm.hole, alarm.crops) for alarm in line.alarms()] == [(1, 3)]


def test_more_files_than_a_condition_may_name_wait_for_their_second_proliv(line: Line) -> None:
    line.raising = Raising(Alarms(k=2, n=3), lambda: line.now)
    rows = [line.crop(0, hole=None) for _ in range(1200)]
    assert line.decide(*rows) == ()
    assert len(line.members()) == 1200
    again = [line.crop(1, hole=None)._replace(path=row.path) for row in rows[:3]]
    assert len(line.decide(*again)) == 3


@pytest.mark.parametrize("end", [FIRST, LAST])
@pytest.mark.parametrize("settings", [SETTINGS, Alarms(k=2, n=2)])
def test_a_name_with_the_first_or_the_last_time_there_is_loses_no_alarm(
    line: Line, end: datetime, settings: Alarms
) -> None:
    line.raising = Raising(settings, lambda: line.now)
    line.decide(*(line.crop(0)._replace(captured_at=end) for _ in range(settings.k)))
    assert [(alarm.first_at, alarm.crops) for alarm in line.alarms()] == [(end, settings.k)]
    line.decide(line.crop(0)._replace(captured_at=end))
    assert [alarm.crops for alarm in line.alarms()] == [settings.k + 1]


def test_alarms_of_a_table_may_open_further_apart_than_an_event_pauses(line: Line) -> None:
    line.raising = Raising(Alarms(within_seconds=300, pause_seconds=10), lambda: line.now)
    for hole in (1, 2, 3):
        line.decide(line.crop(100 * hole, hole=hole))
    assert [alarm.kind for alarm in line.alarms()] == ["hole", "hole", "table"]


def test_an_alarm_of_a_file_has_its_path_also_where_the_highest_crop_waited_for_another(line: Line) -> None:
    line.raising = Raising(Alarms(k=2, n=2), lambda: line.now)
    first, second = line.crop(0, hole=None, decision_score=0.9), line.crop(1, hole=None)
    assert line.decide(first) == ()
    (raised,) = line.decide(second._replace(path=first.path))
    (alarm,) = line.alarms()
    assert alarm.highest_crop_id == 1
    assert raised.path == alarm.path == first.path


def test_alarms_of_other_files_are_not_read_for_a_crop(line: Line) -> None:
    rows = [line.crop(0, hole=None) for _ in range(5)]
    line.decide(*rows, line.crop(0, hole=7))
    of_file = next(alarm for alarm in line.alarms() if alarm.path == rows[0].path)
    with line.database.read() as connection:
        subject = Subject(of_file.camera, of_file.hole, of_file.place)
        found = alarms.running(connection, alarms.PROLIV, {subject}, NOW, NOW)
    assert {alarm.place for alarm in found} == {"", of_file.place}


def test_a_file_without_a_hole_has_an_alarm_of_its_path(line: Line) -> None:
    row = line.crop(0, hole=None, camera=None, path="/inbox/\\xff no hole.jpg")
    line.decide(row, line.crop(0, hole=None, camera=None))
    first, second = line.alarms()
    assert (first.kind, first.path, first.camera, first.hole) == ("file", row.path, "", -1)
    assert first.place != second.place


def test_many_holes_at_once_are_one_alarm_of_the_table(line: Line) -> None:
    ordinary = [line.crop(0, hole=hole, proliv=False) for hole in range(1, 11)]
    line.decide(*ordinary, *(line.crop(1, hole=hole) for hole in (1, 2, 3)))
    assert [alarm.kind for alarm in line.alarms()] == ["hole"] * 3
    (raised,) = line.decide(*(line.crop(2, hole=hole) for hole in (4, 5, 6, 7)))
    assert raised.kind == "table"
    line.decide(line.crop(3, hole=8))
    *parts, table = line.alarms()
    assert [(part.state, part.ended_by, part.part_of) for part in parts] == [("closed", "table", table.id)] * 3
    assert (table.kind, table.holes, table.crops, table.state) == ("table", list(range(1, 9)), 8, "open")
    assert {alarm for _, alarm in line.members()} == {table.id}


def test_a_part_that_took_crops_of_the_same_batch_becomes_part_of_the_table(line: Line) -> None:
    line.decide(*(line.crop(0, hole=hole, proliv=False) for hole in range(1, 5)), line.crop(0, hole=1))
    (raised,) = line.decide(line.crop(1, hole=1), line.crop(2, hole=2), line.crop(2, hole=3))
    part, table = line.alarms()
    assert (raised.kind, part.part_of, table.crops, part.crops) == ("table", table.id, 4, 1)
    assert {alarm for _, alarm in line.members()} == {table.id}


def test_two_people_cannot_both_acknowledge(line: Line) -> None:
    line.decide(line.crop(0))
    at = NOW + timedelta(seconds=5)
    row = acknowledge(line.database, SETTINGS, 1, by="anna", note="seen", at=at, zone=UTC)
    assert (row.state, row.acknowledged_by, row.acknowledged_note) == ("acknowledged", "anna", "seen")
    with pytest.raises(DataError, match=r"alarm 1 \(hole 10 of camera C\) was acknowledged by anna at .* already"):
        acknowledged(line, 1, at)
    with pytest.raises(DataError, match="there is no alarm 2; see: monitor alarms list"):
        acknowledged(line, 2, at)


def test_of_two_people_who_acknowledge_at_the_same_moment_one_does_it(line: Line) -> None:
    line.decide(line.crop(0))
    together = Barrier(2)
    outcomes: list[str] = []

    def try_as(name: str) -> None:
        together.wait()
        try:
            row = acknowledge(line.database, SETTINGS, 1, by=name, note=None, at=NOW, zone=UTC)
        except DataError as error:
            outcomes.append(str(error))
        else:
            outcomes.append(f"done by {row.acknowledged_by}")

    people = [Thread(target=try_as, args=(name,)) for name in ("anna", "ben")]
    for one in people:
        one.start()
    for one in people:
        one.join()
    done, refused = sorted(outcomes, key=lambda said: not said.startswith("done"))
    first = done.removeprefix("done by ")
    assert line.alarms()[0].acknowledged_by == first
    assert f"was acknowledged by {first} at" in refused


def acknowledged(line: Line, number: int, at: datetime) -> AlarmRow:
    return acknowledge(line.database, line.settings, number, by="ben", note=None, at=at, zone=UTC)


def test_an_acknowledged_alarm_takes_the_rest_of_its_event_and_ends_with_it(line: Line) -> None:
    line.decide(line.crop(0))
    acknowledged(line, 1, NOW + timedelta(seconds=1))
    line.now += timedelta(seconds=50)
    assert line.decide(line.crop(50)) == ()
    assert end_quiet(line.database, SETTINGS, NOW + timedelta(seconds=100)) == []
    assert [row.id for row in end_quiet(line.database, SETTINGS, NOW + timedelta(seconds=111))] == [1]
    (alarm,) = line.alarms()
    assert (alarm.state, alarm.ended_by, alarm.crops) == ("closed", "acknowledgement", 2)
    # The next event of the hole is another alarm.
    assert len(line.decide(line.crop(130))) == 1


def test_an_alarm_is_not_closed_while_a_crop_joins_it(line: Line) -> None:
    line.decide(line.crop(0))
    acknowledged(line, 1, NOW + timedelta(seconds=1))
    line.now += timedelta(seconds=70)
    ended: list[AlarmRow] = []
    keeper = Thread(target=lambda: ended.extend(end_quiet(line.database, SETTINGS, NOW + timedelta(seconds=100))))
    with line.database.write() as connection:
        crop = line.crop(50)
        line.raising(connection, [crop], decisions.record(connection, [crop]))
        keeper.start()
        keeper.join(1)  # it has seen an alarm that is over, and waits
    keeper.join()
    assert ended == []
    assert [(alarm.state, alarm.crops) for alarm in line.alarms()] == [("acknowledged", 2)]


def test_an_alarm_whose_event_is_over_is_closed_by_its_acknowledgement(line: Line) -> None:
    line.decide(line.crop(0))
    assert end_quiet(line.database, SETTINGS, NOW + timedelta(hours=8)) == []
    assert acknowledged(line, 1, NOW + timedelta(hours=8)).state == "closed"
    with pytest.raises(DataError, match=r"was closed by itself at .*; there is nothing to acknowledge"):
        acknowledged(line, 1, NOW + timedelta(hours=8))


def test_an_alarm_can_end_by_quiet_alone(line: Line) -> None:
    line.decide(line.crop(0))
    settings = Alarms(ends="quiet")
    assert [row.id for row in end_quiet(line.database, settings, NOW + timedelta(seconds=61))] == [1]
    assert [(row.state, row.ended_by) for row in line.alarms()] == [("closed", "quiet")]


def test_a_person_closes_an_alarm_once_and_the_next_proliv_opens_another(line: Line) -> None:
    line.decide(line.crop(0))
    row = close(line.database, SETTINGS, 1, by="anna", note="a shadow", at=NOW, zone=UTC)
    assert (row.state, row.ended_by, row.closed_by, row.closed_note) == ("closed", "person", "anna", "a shadow")
    with pytest.raises(DataError, match=r"alarm 1 .* was closed by anna at .* already"):
        close(line.database, SETTINGS, 1, by="ben", note=None, at=NOW, zone=UTC)
    assert len(line.decide(line.crop(1))) == 1


def test_what_runs_is_counted(line: Line) -> None:
    line.decide(line.crop(0), line.crop(0, hole=11))
    acknowledged(line, 2, NOW)
    with line.database.read() as connection:
        assert alarms.running_counts(connection) == (1, 1, NOW, 0)
        assert [row.id for row in alarms.listed(connection, closed=False, most=2)] == [2, 1]
        assert [crop.id for crop in alarm_members.crops_of(connection, 1, 5)] == [1]
