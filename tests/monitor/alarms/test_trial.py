"""A test of a sink by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.alarms.messages import Message
from monitor.alarms.trial import ABOUT, trial_message, try_sink
from monitor.api import DeliveryError, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Receiver(Sink):
    """Takes everything, or raises what it is told to."""

    name = "receiver"
    Settings = Message

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.got: list[Mapping[str, Any]] = []
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True
        raise OSError("the receiver has hung up before")

    def send(self, message: Mapping[str, Any]) -> None:
        self.got.append(message)
        if self.error is not None:
            raise self.error


def test_the_message_is_of_the_common_form_and_nothing_about_it_is_an_alarm() -> None:
    one, other = trial_message(AT), trial_message(AT)
    assert one["id"] != other["id"]
    assert Message.model_validate(one).model_dump(mode="json") == one
    assert (one["kind"], one["number"], one["at"]) == ("test", 0, "2026-03-01T12:00:00Z")
    alarm = one["alarm"]
    assert (alarm["closed_by"], alarm["ended_by"]) == ("monitor alarms test", "person")
    assert (alarm["id"], alarm["state"], alarm["about"], alarm["camera"], alarm["hole"]) == (
        0, "closed", ABOUT, None, None,
    )  # fmt: skip


def test_a_sink_gets_one_message_and_is_said_to_have_taken_it_or_not() -> None:
    sink = Receiver()
    assert try_sink("siren", sink) >= 0
    assert [one["kind"] for one in sink.got] == ["test"]
    assert sink.is_closed
    for error, words in ((DeliveryError("it is out of order"), "it is out of order"), (KeyError("x"), "KeyError: 'x'")):
        with pytest.raises(DeliveryError, match=rf"^sink siren: has not taken the test, after \d+\.\d\d s: {words}$"):
            try_sink("siren", Receiver(error))
