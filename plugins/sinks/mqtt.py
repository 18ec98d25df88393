"""The sink that publishes messages, and the state of each hole, to an MQTT broker."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from monitor.api import DeliveryError, Sink
from plugins.sinks.mqtt_settings import Publication, Settings, level_of
from plugins.sinks.packages import require_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from monitor.api import HoleState
    from plugins.sinks.mqtt_connection import MqttConnection

# The level of a camera that file names do not tell, and those of what is no single hole.
UNKNOWN: Final = "unknown"
LEVELS: Final = {"file": "files", "table": "table"}
# How long stopping waits until the broker knows.
CLOSE_SECONDS: Final = 0.8

# A hole, a camera's files without one, or its table: kind, camera and hole as `HoleState` has them.
Subject = tuple[str, str | None, int | None]


class Mqtt(Sink):
    """Publishes each message, and keeps the state of each hole at the broker; taken once the broker confirms it."""

    name = "mqtt"
    Settings = Settings
    heartbeat_seconds = 60.0

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        require_package("paho", "paho-mqtt", self.name)
        # Always the same, so that a broker lets go of a connection that broke before it takes the next one.
        self._client_id = f"monitor{uuid4().hex[:12]}"
        self._connection: MqttConnection | None = None
        # What the broker is to have, by topic. Exchanged as a whole, because another thread reads it.
        self._states: dict[str, bytes] = {}

    def send(self, message: Mapping[str, Any]) -> None:
        """Publish the message, and the state of its holes if they are quiet; or a heartbeat, under another topic."""
        until = time.monotonic() + self.settings.timeout_seconds
        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")
        if message["kind"] == "test":
            self._send_apart(Publication(f"{self.settings.topic}/messages", body, retain=False), until)
            return
        level, subjects = ("messages", _subjects(message["alarm"])) if "alarm" in message else ("heartbeat", ())
        quiet = dict(self._state(subject, "quiet", None) for subject in subjects)
        self._keep({**quiet, **self._states}, until)
        self._publish([Publication(f"{self.settings.topic}/{level}", body, retain=False)], until)

    def show(self, states: Sequence[HoleState]) -> None:
        """Publish the states that are other than they were."""
        wanted: dict[str, bytes] = {}
        for one in states:
            topic, payload = self._state((one.kind, one.camera, one.hole), one.state, one.alarm_id)
            # A camera may be called as one is that has no name.
            if topic not in wanted or one.state == "alarm":
                wanted[topic] = payload
        known = {**self._left_over(), **self._states}
        quiet = {topic: _quieted(payload) for topic, payload in known.items() if topic not in wanted}
        self._keep({**wanted, **quiet}, time.monotonic() + self.settings.timeout_seconds)

    def check(self) -> None:
        """The files that are named must be readable."""
        self.settings.password()
        self.settings.tls()

    def close(self) -> None:
        """Say that nobody is there any more, and hang up."""
        if self._connection is not None and self._connection.usable:
            with suppress(DeliveryError):
                self._publish([self._status("offline")], time.monotonic() + CLOSE_SECONDS)
        self._hang_up()

    def _send_apart(self, publication: Publication, until: float) -> None:
        """Publish a test, which says nothing about states, nor whether a daemon runs."""
        from plugins.sinks.mqtt_connection import MqttConnection

        connection = MqttConnection(self.settings, f"{self._client_id}t", None, list)
        try:
            connection.wait_until_connected(until)
            connection.publish([publication], until)
        finally:
            connection.close()

    def _keep(self, wanted: dict[str, bytes], until: float) -> None:
        """Let the broker have these states; over a new connection all of them, for it may have lost them."""
        is_new = self._connection is None or not self._connection.usable
        changed = {topic: state for topic, state in wanted.items() if is_new or self._states.get(topic) != state}
        self._states = wanted
        if is_new:
            self._connect(until)
        if changed or is_new:
            self._publish([*_retained(changed), *([self._status("online")] if is_new else [])], until)

    def _left_over(self) -> dict[str, bytes]:
        """What the broker says of holes that this program knows nothing of, such as after both lost power."""
        # A copy, because another thread collects them.
        retained = {} if self._connection is None else dict(self._connection.retained)
        return {topic: payload for topic, payload in retained.items() if _is_not_quiet(payload)}

    def _connect(self, until: float) -> None:
        from plugins.sinks.mqtt_connection import MqttConnection

        self._hang_up()
        self._connection = MqttConnection(
            *(self.settings, self._client_id, self._status("offline"), self._all),
            retained_below=f"{self.settings.topic}/+/+/state",
        )
        try:
            self._connection.wait_until_connected(until)
        except DeliveryError:
            self._hang_up()
            raise

    def _publish(self, publications: Sequence[Publication], until: float) -> None:
        assert self._connection is not None
        try:
            self._connection.publish(publications, until)
        except DeliveryError:
            # What was not confirmed must not come later, after what follows it.
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _all(self) -> list[Publication]:
        return [*_retained(self._states), self._status("online")]

    def _status(self, status: str) -> Publication:
        return Publication(f"{self.settings.topic}/status", status.encode(), retain=True)

    def _state(self, subject: Subject, state: str, alarm_id: int | None) -> tuple[str, bytes]:
        """The topic of a hole or the like, and its payload."""
        kind, camera, hole = subject
        level = LEVELS.get(kind) or (UNKNOWN if hole is None else str(hole))
        values = {"state": state, "alarm": alarm_id, "kind": kind, "camera": camera, "hole": hole}
        payload = json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace")
        return f"{self.settings.topic}/{level_of(camera or UNKNOWN)}/{level}/state", payload


def _subjects(alarm: Mapping[str, Any]) -> Iterator[Subject]:
    yield alarm["kind"], alarm["camera"], alarm["hole"]
    for hole in alarm["holes"] or ():
        yield "hole", alarm["camera"], hole


def _is_not_quiet(payload: bytes) -> bool:
    """Whether it is a state as we write it, of an alarm."""
    try:
        found = json.loads(payload)
    except ValueError:
        return False
    ours = isinstance(found, dict) and found.keys() == {"state", "alarm", "kind", "camera", "hole"}
    return ours and found["state"] in ("alarm", "acknowledged")


def _quieted(payload: bytes) -> bytes:
    return json.dumps({**json.loads(payload), "state": "quiet", "alarm": None}, ensure_ascii=False).encode()


def _retained(states: Mapping[str, bytes]) -> list[Publication]:
    return [Publication(topic, payload, retain=True) for topic, payload in states.items()]
