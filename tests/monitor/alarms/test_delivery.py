"""Delivery to one sink, with a clock of the test's own, on both databases."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from monitor.alarms.delivery import FIRST_PAUSE, LEASE, LONGEST_PAUSE, LONGEST_SHOW_PAUSE, TURN, Delivery, pause_after
from monitor.api import DeliveryError, HoleState, Sink
from monitor.configuration.settings import Alarms
from monitor.store import outbox
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitor.store.database.engine import Database

SETTINGS = Alarms(sinks={"siren": {"kind": "made-up"}})


class NoSettings(BaseModel):
    """A made-up sink needs none."""


class Receiver(Sink):
    """Takes messages, or not, as the test says."""

    name = "made-up"
    Settings = NoSettings

    def __init__(self) -> None:
        super().__init__(NoSettings())
        self.got: list[tuple[str, int, int]] = []
        self.ids: list[str] = []
        self.refuses: Callable[[Mapping[str, Any]], bool] = lambda _message: False

    def send(self, message: Mapping[str, Any]) -> None:
        self.ids.append(message["id"])
        if self.refuses(message):
            raise DeliveryError("the siren is\nout of order")
        self.got.append((message["kind"], message["alarm"]["hole"], message["alarm"]["crops"]))


class Plant:
    """A line with a receiver, and a delivery by a clock that a test moves."""

    def __init__(self, database: Database) -> None:
        self.line = Line(database, SETTINGS)
        self.receiver = Receiver()
        self.outcomes: list[str] = []
        self.now = NOW
        self.delivery = self.another()

    def another(self) -> Delivery:
        """The delivery of a program that has just started."""
        return Delivery(
            self.line.database, "siren", self.receiver, lambda _, outcome: self.outcomes.append(outcome), self.clock
        )

    def clock(self) -> datetime:
        return self.now

    def deliver(self) -> None:
        while self.delivery.step():
            pass

    def decide(self, *holes: int) -> None:
        """A proliv of each of these holes, one after the other."""
        for hole in holes:
            self.line.decide(self.line.crop(0, hole=hole))


@pytest.fixture
def plant(database: Database) -> Plant:
    return Plant(database)


def test_messages_are_sent_once_in_their_order(plant: Plant) -> None:
    plant.decide(1, 2, 1)
    plant.deliver()
    assert plant.receiver.got == [("opened", 1, 1), ("opened", 2, 1), ("more", 1, 2)]
    assert plant.outcomes == ["delivered"] * 3
    plant.now += timedelta(hours=1)
    plant.deliver()
    assert len(plant.receiver.got) == 3


def test_many_messages_are_looked_for_together(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, next_due = [], outbox.next_due

    def counted(*arguments: Any) -> Any:
        looks.append(arguments)
        return next_due(*arguments)

    monkeypatch.setattr(outbox, "next_due", counted)
    plant.decide(1, 2, 1)
    plant.deliver()
    # Of each hole the first, then what follows, then nothing more; each in a look.
    assert (len(plant.receiver.got), len(looks)) == (3, 3)


def test_others_have_their_turn_while_a_slow_receiver_gets_much(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(message: Mapping[str, Any]) -> None:
        plant.receiver.ids.append(message["id"])
        plant.now += TURN / 2

    monkeypatch.setattr(plant.receiver, "send", slowly)
    plant.decide(1, 2, 3, 4, 5)
    assert plant.delivery.step()
    assert len(plant.receiver.ids) == 3
    plant.deliver()
    assert len(set(plant.receiver.ids)) == len(plant.receiver.ids) > 5


def test_after_one_that_was_not_taken_it_is_looked_again(plant: Plant) -> None:
    plant.receiver.refuses = lambda _message: True
    plant.decide(1, 2, 4)
    assert plant.delivery.step()
    assert len(plant.receiver.ids) == 1


def test_what_is_not_taken_is_sent_again_with_the_same_id_and_keeps_only_its_hole_waiting(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plant.receiver.refuses = lambda message: message["alarm"]["hole"] == 1
    plant.decide(1, 2, 1, 2)
    plant.deliver()
    assert plant.receiver.got == [("opened", 2, 1), ("more", 2, 2)]
    with plant.line.database.read() as connection:
        ((sink, count, _, error),) = outbox.backlogs(connection)
    assert (sink, count, error) == ("siren", 2, "the siren is out of order")
    plant.now += timedelta(seconds=1.6)
    plant.deliver()
    plant.receiver.refuses = lambda _message: False
    plant.now += timedelta(seconds=3.1)
    plant.deliver()
    assert plant.receiver.got[2:] == [("opened", 1, 1), ("more", 1, 2)]
    assert len(plant.receiver.ids) == 6
    assert len(set(plant.receiver.ids)) == 4
    assert plant.outcomes.count("failed") == 2
    said = [record.message for record in caplog.records if "siren" in record.message]
    assert said[0].startswith("sink siren: the siren is out of order; the message that alarm 1 is opened waits")
    with plant.line.database.read() as connection:
        assert outbox.backlogs(connection) == []


def test_a_defect_of_a_sink_is_contained(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_message: Mapping[str, Any]) -> None:
        raise KeyError("hole")

    monkeypatch.setattr(plant.receiver, "send", broken)
    plant.decide(1)
    plant.deliver()
    with plant.line.database.read() as connection:
        (due,) = outbox.deliveries(connection, delivered=False, most=None)
    assert (due.attempts, due.error) == (1, "KeyError: 'hole'")
    assert due.next_try_at > NOW


def test_what_was_being_sent_when_the_program_was_killed_is_sent_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(message: Mapping[str, Any]) -> None:
        plant.receiver.ids.append(message["id"])
        raise SystemExit  # as if the process had ended here

    plant.decide(1)
    with monkeypatch.context() as patch:
        patch.setattr(plant.receiver, "send", killed)
        with pytest.raises(SystemExit):
            plant.delivery.step()
    # Another program leaves it alone for a while.
    other = plant.another()
    assert not other.step()
    if plant.line.database.file is None:
        plant.now += LEASE
    else:
        # Of a SQLite file there is one daemon: the next one need not wait.
        other.begin()
    assert other.step()
    assert plant.receiver.got == [("opened", 1, 1)]
    assert len(set(plant.receiver.ids)) == 1


def test_one_of_two_programs_sends(plant: Plant) -> None:
    plant.decide(1)
    with plant.line.database.read() as connection:
        (due,) = outbox.next_due(connection, "siren", NOW, 5)
    with plant.line.database.write() as connection:
        assert outbox.claim(connection, due, NOW + LEASE)
        assert not outbox.claim(connection, due, NOW + LEASE)


def test_a_sink_that_could_not_work_is_said_at_the_start(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def check() -> None:
        raise DeliveryError("siren.secret: is empty")

    monkeypatch.setattr(plant.receiver, "check", check)
    plant.delivery.begin()
    assert "sink siren: siren.secret: is empty; messages about alarms wait for it" in caplog.text


class Lamps(Receiver):
    """Shows which holes are in alarm, or does not, as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[list[int | None]] = []
        self.dark = False

    def show(self, states: Sequence[HoleState]) -> None:
        self.shown.append([one.hole for one in states])
        if self.dark:
            raise DeliveryError("the lamps are out of order")


@pytest.fixture
def lamps(plant: Plant) -> Lamps:
    lamps = Lamps()
    plant.receiver = lamps
    plant.delivery = plant.another()
    return lamps


def test_the_state_of_all_holes_is_shown_at_the_start_and_before_each_message(plant: Plant, lamps: Lamps) -> None:
    plant.deliver()
    assert lamps.shown == [[]]
    plant.decide(1, 2)
    plant.deliver()
    assert lamps.shown == [[], [1, 2], [1, 2]]
    assert lamps.got == [("opened", 1, 1), ("opened", 2, 1)]
    plant.now += timedelta(hours=1)
    plant.deliver()
    assert len(lamps.shown) == 3


def test_a_message_of_which_the_state_is_not_shown_is_not_delivered(
    plant: Plant, lamps: Lamps, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lamps.dark = True
    plant.deliver()
    plant.deliver()
    assert len(lamps.shown) == 1
    plant.now += LONGEST_SHOW_PAUSE
    plant.deliver()
    assert len(lamps.shown) == 2
    assert caplog.text.count("sink siren: the lamps are out of order; which holes are in alarm is not shown there") == 1
    plant.decide(1)
    plant.deliver()
    assert (lamps.got, plant.outcomes) == ([], ["failed"])
    lamps.dark = False
    plant.now += timedelta(seconds=2)
    plant.deliver()
    assert (lamps.got, plant.outcomes) == ([("opened", 1, 1)], ["failed", "delivered"])
    assert "sink siren shows now which holes are in alarm" in caplog.text


def test_a_sink_that_cannot_be_closed_keeps_nobody(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def close() -> None:
        raise KeyError("socket")

    plant.delivery.end()
    monkeypatch.setattr(plant.receiver, "close", close)
    plant.delivery.end()
    assert [record.message for record in caplog.records] == ["sink siren was not closed: KeyError: 'socket'"]


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (10_000, 300)])
def test_pauses_double_up_to_the_longest_and_differ_by_chance(attempts: int, seconds: float) -> None:
    found = [pause_after(attempts).total_seconds() for _ in range(200)]
    assert 0.5 * seconds <= min(found) < 0.8 * seconds
    assert 1.2 * seconds < max(found) <= 1.5 * seconds
    assert pause_after(1) <= 1.5 * FIRST_PAUSE
    assert pause_after(99) <= 1.5 * LONGEST_PAUSE
