"""Crops of self-tests in the transaction of decisions, on both databases: they take every step and leave nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import func, select

from monitor.alarms import casting
from monitor.alarms.messages import SCHEMA_FILE
from monitor.alarms.rehearsal import UNKNOWN_SINK, Rehearsal
from monitor.configuration.settings import Alarms
from monitor.store import decisions, pauses, selftests
from monitor.store.database.schema import metadata
from monitor.store.selftests import SelftestCrop
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW, failed

if TYPE_CHECKING:
    from monitor.store.database.engine import Database
    from monitor.store.decisions import CropRow

SETTINGS = Alarms(k=3, n=5, sinks={"siren": {"kind": "log"}, "plc": {"kind": "log"}})
SINKS = ("siren", "plc")


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database, SETTINGS)


def registered(line: Line, expected: str, *, proliv: bool, sinks: tuple[str, ...] = SINKS) -> CropRow:
    """A crop that a self-test expects to be so, and how it was decided."""
    row = line.crop(0, hole=None, proliv=proliv)
    row = row._replace(path=f"/inbox/monitor-selftest-{row.sha256[-4:]}-{expected}.png")
    with line.database.write() as connection:
        number = selftests.begin(connection, began_at=NOW, ends_at=NOW, sinks=sinks)
        crop = SelftestCrop(number, expected, row.path, row.sha256)
        selftests.register(connection, [crop], ends_at=NOW + timedelta(seconds=60))
    return row


def counts(line: Line) -> dict[str, int]:
    """How many rows each table has, but for those of self-tests."""
    with line.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if not table.name.startswith("selftest")
        }


def rehearse(line: Line, row: CropRow, settings: Alarms = SETTINGS) -> SelftestCrop:
    with line.database.write() as connection:
        Rehearsal(settings, lambda: line.now)(connection, [row])
    with line.database.read() as connection:
        found = selftests.crop_at(connection, row.path, row.sha256)
    assert found is not None
    return found


def messages(line: Line, number: int) -> dict[str, Any]:
    with line.database.read() as connection:
        return selftests.deliveries_of(connection, number)


def test_a_proliv_takes_every_step_and_leaves_nothing(line: Line) -> None:
    # An alarm of the line runs, and crops of a hole wait for one: neither may hear of it.
    line.decide(*(line.crop(second) for second in range(3)))
    line.decide(line.crop(1, hole=11))
    before, alarms_before, members = counts(line), line.alarms(), line.members()
    found = rehearse(line, registered(line, "proliv", proliv=True))
    assert (counts(line), line.alarms(), line.members()) == (before, alarms_before, members)
    assert (found.verdict, found.score, found.threshold, found.problem) == ("proliv", 0.01, 0.002, None)
    assert (found.stored_at, found.alarm_at) == (NOW, NOW)
    sent = messages(line, found.selftest_id)
    assert {name: one.next_try_at for name, one in sent.items()} == dict.fromkeys(SINKS, NOW)
    assert len({one.message["id"] for one in sent.values()}) == len(SINKS)
    message = sent["siren"].message
    Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))).validate(message)
    assert (message["kind"], message["selftest"], message["number"]) == ("test", found.selftest_id, 0)
    alarm = message["alarm"]
    assert (alarm["id"], alarm["state"], alarm["hole"], alarm["camera"]) == (0, "closed", None, None)
    assert (alarm["score"], alarm["threshold"], alarm["crops"]) == (0.01, 0.002, 1)
    assert alarm["about"].startswith("TEST, no bleed-out")


def test_a_normal_crop_is_stored_and_told_to_nobody(line: Line) -> None:
    before = counts(line)
    found = rehearse(line, registered(line, "ne_proliv", proliv=False))
    assert counts(line) == before
    assert (found.verdict, found.stored_at, found.alarm_at) == ("ne_proliv", NOW, None)
    assert messages(line, found.selftest_id) == {}


@pytest.mark.parametrize("expected", ["proliv", "ne_proliv"])
def test_a_wrong_decision_opens_no_alarm(line: Line, expected: str) -> None:
    found = rehearse(line, registered(line, expected, proliv=expected == "ne_proliv"))
    assert found.verdict != expected
    assert (found.stored_at, found.alarm_at, messages(line, found.selftest_id)) == (NOW, None, {})


def test_neither_a_pause_nor_an_idle_cast_holds_it_back(line: Line) -> None:
    with line.database.write() as connection:
        until = NOW + timedelta(hours=1)
        pauses.add(connection, camera=None, hole=None, begins_at=NOW, ends_at=until, reason="work", author="anna")
    casting.start(line.database, "4711", None, "idle", by="anna", at=NOW)
    before = counts(line)
    found = rehearse(line, registered(line, "proliv", proliv=True))
    assert counts(line) == before
    assert (found.alarm_at, set(messages(line, found.selftest_id))) == (NOW, set(SINKS))


def test_a_sink_that_the_daemon_does_not_have_is_named(line: Line) -> None:
    found = rehearse(line, registered(line, "proliv", proliv=True, sinks=("siren", "office")))
    sent = messages(line, found.selftest_id)
    assert {name: (one.error, one.next_try_at) for name, one in sent.items()} == {
        "siren": (None, NOW),
        "office": (UNKNOWN_SINK, None),
    }


def test_a_crop_that_no_model_takes_has_a_reason(line: Line) -> None:
    row = failed(registered(line, "proliv", proliv=True))._replace(verdict=None, decision_score=None)
    found = rehearse(line, row)
    assert (found.decided_at, found.problem) == (None, "it is truncated")


def test_what_was_noted_stays(line: Line) -> None:
    row = registered(line, "proliv", proliv=True)
    first = rehearse(line, row)
    line.now += timedelta(seconds=5)
    assert rehearse(line, row) == first


def test_what_fails_in_it_keeps_no_crop_of_the_line_from_being_stored(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, ordinary = registered(line, "proliv", proliv=True), line.crop(0, proliv=False)

    def refuse(_self: Rehearsal, connection: Any, _stored: Any) -> None:
        connection.exec_driver_sql("insert into no_such_table values (1)")

    monkeypatch.setattr(Rehearsal, "_raise", refuse)
    with line.database.write() as connection:
        decisions.record(connection, [ordinary])
        Rehearsal(SETTINGS, lambda: line.now)(connection, [test])
    with line.database.read() as connection:
        found = selftests.crop_at(connection, test.path, test.sha256)
    assert found is not None
    assert (found.verdict, found.stored_at, found.alarm_at) == ("proliv", NOW, None)
    assert "no_such_table" in (found.problem or "")
    assert counts(line)["crops"] == 1
