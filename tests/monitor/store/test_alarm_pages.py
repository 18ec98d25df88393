from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.acknowledgement import acknowledge, close
from monitor.labels.give import give
from monitor.store import alarm_pages, alarms, casts
from monitor.store.alarm_pages import Said, Span
from monitor.store.labels import find_crops
from monitor.words import Label
from tests.support.alarm_line import SETTINGS, Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def opened(line: Line, number: int) -> int:
    """Open an alarm of another hole, so much later that it is no alarm of the table."""
    line.decide(line.crop(1000.0 * number, number))
    return line.alarms()[-1].id


def ended(line: Line, alarm: int, end: object) -> None:
    end(line.database, SETTINGS, alarm, by="anna", note=None, at=line.now, zone=NOW.tzinfo)  # type: ignore[operator]


def test_what_waits_comes_first_then_what_somebody_took_then_what_nobody_was_told_of(line: Line) -> None:
    first, second, third, fourth, last = (opened(line, number) for number in range(1, 6))
    ended(line, first, acknowledge)
    ended(line, fourth, close)
    with line.database.write() as connection:
        alarms.change(connection, second, {"withheld": "pause"})
    with line.database.read() as connection:
        found = alarm_pages.not_closed(connection, 10)
        assert [row.id for row in found] == [third, last, first, second]
        assert [row.id for row in alarm_pages.not_closed(connection, 1)] == [third]
        assert alarm_pages.not_closed(connection, 10, "none") == []
        assert [row.id for row in alarm_pages.closed(connection, 10)] == [fourth]


def test_closed_ones_are_read_in_pages_and_of_a_cast(line: Line) -> None:
    with line.database.write() as connection:
        cast = casts.begin(connection, "4711", None, line.now)
        casts.say(connection, cast, "steady", line.now, source="person")
    ids = [opened(line, number) for number in range(1, 6)]
    for alarm in ids:
        ended(line, alarm, close)
    with line.database.read() as connection:
        assert [row.id for row in alarm_pages.closed(connection, 2)] == ids[:-3:-1]
        assert [row.id for row in alarm_pages.closed(connection, 2, before=ids[3])] == [ids[2], ids[1]]
        assert [row.id for row in alarm_pages.closed(connection, 9, cast="4711")] == ids[::-1]
        assert alarm_pages.closed(connection, 9, cast="4712") == []


def test_the_crops_around_an_alarm_are_those_of_its_hole_and_camera(line: Line) -> None:
    line.decide(*(line.crop(second, proliv=False) for second in range(-5, 0)))
    line.decide(line.crop(0), line.crop(0, 11), line.crop(0, camera="D", proliv=False), line.crop(1, proliv=False))
    (alarm,) = (row.id for row in line.alarms() if row.hole == 10)
    with line.database.read() as connection:
        of = alarm_pages.span(connection, alarm)
        assert of is not None
        found = alarm_pages.around(connection, "C", 10, of, 100)
        assert [(row.at - NOW).total_seconds() for row in found] == [-5, -4, -3, -2, -1, 0, 1]
        assert [row.verdict for row in found][-2:] == ["proliv", "ne_proliv"]
        few = alarm_pages.around(connection, "C", 10, of, 4)
        assert [(row.at - NOW).total_seconds() for row in few] == [-2, -1, 0, 1]
        assert alarm_pages.around(connection, "", 10, of, 100) == []
        assert [row.id for row in alarm_pages.newest_members(connection, alarm, 5)] == [of.first]
        assert alarm_pages.seen(connection, [of.first, 10**6]) == [row for row in found if row.id == of.first]
        assert alarm_pages.span(connection, 10**6) is None
        assert alarm_pages.around(connection, "C", 10, Span(10**6, 10**6 + 1), 100) == []


def test_what_people_said_of_its_crops_is_counted_by_author_and_label(line: Line) -> None:
    line.decide(line.crop(0), line.crop(1), line.crop(2))
    (alarm,) = (row.id for row in line.alarms())
    with line.database.write() as connection:
        crops = find_crops(connection, ids=[crop for crop, _ in line.members()])
        give(connection, crops, Label.PROLIV, author="anna")
        give(connection, crops[:1], Label.NE_PROLIV, author="boris")
    with line.database.read() as connection:
        found = {(one.author, one.label): one for one in alarm_pages.said(connection, alarm)}
    assert {key: one.crops for key, one in found.items()} == {("anna", "proliv"): 3, ("boris", "ne_proliv"): 1}
    assert all(isinstance(one, Said) and one.at.utcoffset() == timedelta() for one in found.values())
