"""Messages that are only tests: one that is sent to one sink by hand and stored nowhere, and those of self-tests."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.alarms.delivery import sentence
from monitor.alarms.messages import AlarmState, Message
from monitor.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.api import Sink

# What the message says in place of a hole. Its alarm has the number 0, which no alarm has, and is closed.
ABOUT: Final = "TEST, no bleed-out: somebody tries whether messages of proliv-monitor arrive; there is nothing to do"
# The same of a self-test.
ABOUT_SELFTEST: Final = "TEST, no bleed-out: self-test {} of proliv-monitor, on a known crop; there is nothing to do"


def trial_message(at: datetime) -> dict[str, Any]:
    """The message as a sink gets it, of the kind "test"; ``at``: when it was written, in UTC."""
    times = ("opened_at", "opened_on", "first_at", "last_at", "last_decided_at", "closed_at")
    alarm = {
        # What is not said below is unknown.
        **dict.fromkeys(AlarmState.model_fields),
        **dict.fromkeys(times, at),
        "id": 0,
        "kind": "file",
        "about": ABOUT,
        "state": "closed",
        "crops": 1,
        "highest_crop_id": 0,
        "score": 0.0,
        "threshold": 0.0,
        "closed_by": "monitor alarms test",
        "ended_by": "person",
        "sign": "proliv",
    }
    values = {"id": str(uuid.uuid4()), "number": 0, "kind": "test", "at": at, "alarm": alarm}
    return Message.model_validate(values).model_dump(mode="json")


def selftest_message(at: datetime, number: int, alarm: Mapping[str, Any]) -> dict[str, Any]:
    """The message of self-test ``number`` as a sink gets it: of the kind "test", about no hole, with a closed alarm.

    ``at``: when it was written, in UTC. ``alarm``: what was stored of the alarm, see `monitor.alarms.wording.as_dict`.
    """
    closed = {
        "id": 0,
        "kind": "file",
        "about": ABOUT_SELFTEST.format(number),
        "camera": None,
        "path": None,
        "state": "closed",
        "highest_crop_id": 0,
        "closed_at": at,
        "closed_by": "monitor selftest",
        "ended_by": "person",
    }
    known = {name: value for name, value in alarm.items() if name in AlarmState.model_fields}
    values = {"id": str(uuid.uuid4()), "number": 0, "kind": "test", "at": at, "alarm": {**known, **closed}}
    return Message.model_validate({**values, "selftest": number}).model_dump(mode="json")


def try_sink(name: str, sink: Sink) -> float:
    """Send a test to a sink; returns after how many seconds it was taken. Raises `DeliveryError` where it was not."""
    began = time.monotonic()
    try:
        sink.send(trial_message(datetime.now(UTC)))
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        seconds = time.monotonic() - began
        raise DeliveryError(f"sink {name}: has not taken the test, after {seconds:.2f} s: {sentence(error)}") from None
    else:
        return time.monotonic() - began
    finally:
        with suppress(Exception):
            sink.close()
