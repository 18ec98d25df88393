"""What receivers are told, and in which form."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.alarms import messages
from monitor.alarms.acknowledgement import acknowledge, close, end_quiet
from monitor.configuration.settings import Alarms
from monitor.store import outbox
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

SETTINGS = Alarms(sinks={"siren": {"kind": "log"}, "office": {"kind": "log"}})


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database, SETTINGS)


def told(line: Line, sink: str = "siren") -> list[dict[str, Any]]:
    """The messages for a sink, each as it is sent; all that is stored of an alarm is in them."""
    with line.database.read() as connection:
        rows = outbox.deliveries(connection, delivered=False, most=None)
    found = [messages.message(row) for row in rows if row.sink == sink]
    assert [one["alarm"].keys() for one in found] == [row.alarm.keys() for row in rows if row.sink == sink]
    return found


def test_the_schema_that_is_shipped_is_that_of_the_messages() -> None:
    assert messages.SCHEMA_FILE.read_text(encoding="utf-8") == messages.schema()


def test_an_event_is_told_from_its_beginning_to_its_end(line: Line) -> None:
    line.decide(line.crop(0, camera="Ж\n\u202e"))
    for seconds in range(1, 5):
        line.decide(line.crop(seconds, camera="Ж\n\u202e"))
    acknowledge(line.database, SETTINGS, 1, by="anna", note="seen", at=NOW + timedelta(seconds=9), zone=UTC)
    end_quiet(line.database, SETTINGS, NOW + timedelta(seconds=99))
    found = told(line)
    assert [(one["kind"], one["alarm"]["state"], one["alarm"]["crops"]) for one in found] == [
        ("opened", "open", 1), ("more", "open", 2), ("more", "open", 4), ("acknowledged", "acknowledged", 5),
        ("closed", "closed", 5),
    ]  # fmt: skip
    assert len({one["id"] for one in found}) == 5
    assert [one["number"] for one in found] == sorted({one["number"] for one in found})
    last = found[-1]
    assert (last["version"], last["at"], last["alarm"]["camera"]) == (1, "2023-03-01T05:41:06.929000Z", "Ж\n\u202e")
    assert (last["alarm"]["acknowledged_by"], last["alarm"]["ended_by"]) == ("anna", "acknowledgement")
    assert last["alarm"]["about"].isprintable()
    # The other sink is told the same, by the same ids.
    assert told(line, "office") == found


def test_what_joins_an_alarm_that_was_quiet_is_told_although_the_cameras_clock_repeats_an_hour(line: Line) -> None:
    line.decide(*(line.crop(seconds) for seconds in range(5)))
    line.now += timedelta(seconds=50)
    line.decide(line.crop(5))
    line.now += timedelta(hours=1)
    line.decide(line.crop(6))
    line.decide(line.crop(7, proliv=False), line.crop(8, hole=11))
    assert [(one["kind"], one["alarm"]["hole"], one["alarm"]["crops"]) for one in told(line)] == [
        ("opened", 10, 5), ("more", 10, 7), ("opened", 11, 1)
    ]  # fmt: skip


def test_of_a_table_one_alarm_opens_and_those_that_were_told_before_are_closed(line: Line) -> None:
    ordinary = [line.crop(0, hole=hole, proliv=False) for hole in range(1, 9)]
    line.decide(*ordinary, line.crop(0, hole=1))
    line.decide(*(line.crop(1, hole=hole) for hole in range(2, 7)))
    found = [(one["kind"], one["alarm"]["kind"], one["alarm"]["holes"], one["alarm"]["part_of"]) for one in told(line)]
    table = max(row.id for row in line.alarms())
    assert found == [
        ("opened", "hole", None, None),
        ("opened", "table", [1, 2, 3, 4, 5, 6], None),
        ("closed", "hole", None, table),
    ]


def test_closing_and_an_acknowledgement_that_closes_are_told(line: Line) -> None:
    line.decide(line.crop(0), line.crop(0, hole=None, camera=None))
    close(line.database, SETTINGS, 1, by="anna", note=None, at=NOW, zone=UTC)
    acknowledge(line.database, SETTINGS, 2, by="ben", note=None, at=NOW + timedelta(hours=1), zone=UTC)
    assert [(one["kind"], one["alarm"]["id"], one["alarm"]["kind"]) for one in told(line)] == [
        ("opened", 1, "hole"), ("opened", 2, "file"), ("closed", 1, "hole"), ("acknowledged", 2, "file"),
        ("closed", 2, "file"),
    ]  # fmt: skip


def test_a_message_that_an_earlier_version_wrote_is_sent_with_what_it_knew(line: Line) -> None:
    line.decide(line.crop(0))
    with line.database.read() as connection:
        (row, _) = outbox.deliveries(connection, delivered=False, most=None)
    later = ("sign", "cast_id", "cast", "alloy", "phase", "told_at", "pause_id")
    earlier = {name: value for name, value in row.alarm.items() if name not in later}
    alarm = messages.message(row._replace(alarm=earlier))["alarm"]
    assert alarm == messages.message(row)["alarm"]
    assert [alarm[name] for name in later] == ["proliv", *[None] * 6]


def test_nothing_is_stored_without_a_sink(database: Database) -> None:
    line = Line(database)
    line.decide(line.crop(0))
    assert told(line) == []
