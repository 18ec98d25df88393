"""Heartbeats to one sink, with a clock of the test's own, on both databases."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from monitor.alarms import heartbeats as module
from monitor.alarms import messages
from monitor.alarms.acknowledgement import acknowledge, close
from monitor.alarms.delivery import Delivery
from monitor.alarms.heartbeats import Heartbeats
from monitor.api import DeliveryError, HoleState, Sink
from monitor.configuration.settings import Alarms
from monitor.errors import StoreError
from monitor.store import outbox
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.store.database.engine import Database

SETTINGS = Alarms(table_share=1.0, sinks={"siren": {"kind": "made-up"}, "office": {"kind": "made-up"}})


class NoSettings(BaseModel):
    """A made-up sink needs none."""


class Receiver(Sink):
    name = "made-up"
    Settings = NoSettings

    def __init__(self) -> None:
        super().__init__(NoSettings())
        self.got: list[Mapping[str, Any]] = []
        self.refuses = False

    def send(self, message: Mapping[str, Any]) -> None:
        if self.refuses:
            raise DeliveryError("the siren is\nout of order")
        self.got.append(message)


class Plant:
    def __init__(self, database: Database) -> None:
        self.line = Line(database, SETTINGS)
        self.receiver = Receiver()
        self.now = 1000.0
        self.deciding = True
        self.taken: list[str] = []
        self.heartbeats = Heartbeats(
            *(database, "siren", self.receiver, 60.0),
            *(lambda: self.deciding, self.taken.append, lambda: self.now),
        )

    def deliver(self, sink: str = "siren") -> None:
        delivery = Delivery(self.line.database, sink, self.receiver, clock=lambda: NOW)
        while delivery.step():
            pass

    def beats(self) -> list[Mapping[str, Any]]:
        return [one for one in self.receiver.got if one["kind"] == "heartbeat"]


@pytest.fixture
def plant(database: Database) -> Plant:
    return Plant(database)


def test_the_schema_that_is_shipped_is_that_of_heartbeats() -> None:
    assert messages.HEARTBEAT_SCHEMA_FILE.read_text(encoding="utf-8") == messages.schema(messages.Heartbeat)


def test_one_is_sent_at_once_and_then_in_its_interval(plant: Plant) -> None:
    before = datetime.now(UTC)
    assert plant.heartbeats.step() == 60
    plant.now += 59
    assert plant.heartbeats.step() == 1
    assert len(plant.beats()) == 1
    plant.now += 31
    assert plant.heartbeats.step() == 60
    first, second = plant.beats()
    assert (first["version"], first["every_seconds"], first["running"], first["alarms"]) == (1, 60, 0, [])
    assert first["host"]
    assert before <= datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"])
    assert first["id"] != second["id"]
    assert plant.taken == ["siren", "siren"]


def test_without_decisions_there_is_none_until_there_are_decisions_again(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    plant.heartbeats.step()
    plant.deciding = False
    plant.now += 600
    assert plant.heartbeats.step() == plant.heartbeats.step() == module.LOOK_SECONDS
    assert len(plant.beats()) == 1
    assert caplog.messages == ["sink siren gets no heartbeat, because nothing is decided"]
    plant.deciding = True
    assert plant.heartbeats.step() == 60
    assert len(plant.beats()) == 2


def test_one_that_is_not_taken_is_told_once_and_not_repeated(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    plant.receiver.refuses = True
    for _ in range(3):
        assert plant.heartbeats.step() == 60
        assert plant.heartbeats.step() == 60
        plant.now += 60
    plant.receiver.refuses = False
    plant.heartbeats.step()
    assert caplog.messages == [
        "sink siren has not taken a heartbeat: the siren is out of order", "sink siren takes heartbeats again"
    ]  # fmt: skip
    assert (len(plant.beats()), plant.taken) == (1, ["siren"])


def test_messages_wait_no_longer_once_a_heartbeat_is_taken_again(plant: Plant) -> None:
    plant.receiver.refuses = True
    plant.line.decide(plant.line.crop(0))
    delivery = Delivery(plant.line.database, "siren", plant.receiver)
    for _ in range(9):  # as if for minutes
        plant.now += 60
        plant.heartbeats.step()
        with plant.line.database.write() as connection:
            outbox.release(connection, "siren", datetime.now(UTC))
        assert delivery.step()
    assert not delivery.step()
    plant.receiver.refuses = False
    plant.now += 60
    plant.heartbeats.step()
    # Where several daemons may send, its turn comes when it comes.
    assert delivery.step() == (plant.line.database.file is not None)
    plant.now += 60
    plant.heartbeats.step()
    assert [one["kind"] for one in plant.receiver.got if one["kind"] != "heartbeat"] == (
        ["opened"] if plant.line.database.file is not None else []
    )


def test_it_has_the_alarms_that_the_sink_knows_as_they_are_now(plant: Plant) -> None:
    for hole in (1, 2, 3):
        plant.line.decide(plant.line.crop(0, hole=hole))
    # The sink has not been told yet, and another one's having been told does not count.
    plant.deliver("office")
    plant.heartbeats.step()
    plant.deliver()
    acknowledge(plant.line.database, SETTINGS, 2, by="anna", note=None, at=NOW + timedelta(seconds=9), zone=UTC)
    close(plant.line.database, SETTINGS, 3, by="anna", note=None, at=NOW, zone=UTC)
    plant.now += 60
    plant.heartbeats.step()
    before, after = plant.beats()
    assert (before["running"], before["alarms"]) == (0, [])
    assert after["running"] == 2
    assert [(one["id"], one["state"], one["hole"]) for one in after["alarms"]] == [
        (2, "acknowledged", 2), (1, "open", 1)
    ]  # fmt: skip


def test_of_very_many_alarms_it_has_the_newest(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ALARMS", 2)
    for hole in (1, 2, 3):
        plant.line.decide(plant.line.crop(0, hole=hole))
    plant.deliver()
    plant.heartbeats.step()
    (beat,) = plant.beats()
    assert (beat["running"], [one["id"] for one in beat["alarms"]]) == (3, [3, 2])


def test_without_a_database_there_is_none_and_the_next_is_tried_at_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(plant.line.database, "read", away)
        with pytest.raises(StoreError):
            plant.heartbeats.step()
    assert plant.beats() == []
    assert plant.heartbeats.step() == 60
    assert len(plant.beats()) == 1


def test_the_state_of_all_holes_is_shown_with_each(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[int | None]] = []

    class Lamps(Receiver):
        def show(self, states: Sequence[HoleState]) -> None:
            if self.refuses:
                raise DeliveryError("the lamps are out of order")
            shown.append([one.hole for one in states])

    lamps = Lamps()
    monkeypatch.setattr(plant.heartbeats, "_sink", lamps)
    plant.heartbeats.step()
    plant.line.decide(plant.line.crop(0, hole=7))
    plant.now += 60
    plant.heartbeats.step()
    assert shown == [[], [7]]
    # A heartbeat says that all is shown, so there is none without it.
    lamps.refuses = True
    plant.now += 60
    plant.heartbeats.step()
    assert len(lamps.got) == 2
    assert len(plant.taken) == 2
