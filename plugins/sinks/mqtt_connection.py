"""A connection to an MQTT broker, which comes back by itself; what the broker has confirmed is published.

Imported only where paho-mqtt is installed.
"""

from __future__ import annotations

import time
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from monitor.api import DeliveryError, connection_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugins.sinks.mqtt_settings import Publication, Settings

# A broker that hears nothing for half as long again calls us dead, and tells so by the last will.
KEEP_ALIVE_SECONDS: Final = 20
# The pauses before another try after the connection was lost.
SHORTEST_PAUSE_SECONDS: Final = 1
LONGEST_PAUSE_SECONDS: Final = 30
QUALITY_OF_SERVICE: Final = 1
# No more is kept of what the broker retains, and nothing longer, which is not ours.
MOST_RETAINED: Final = 10_000
LONGEST_RETAINED_BYTES: Final = 2_000


class MqttConnection:
    """Connects at once, in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        client_id: str,
        will: Publication | None,
        present: Callable[[], Sequence[Publication]],
        retained_below: str | None = None,
    ) -> None:
        """``will``: what the broker publishes when we vanish, if anything.

        ``present``: what is published whenever the connection has come back, because the broker may have lost it, or
        published the will; called from another thread. ``retained_below``: a filter of topics; what the broker retains
        there is collected in ``retained`` if we may read it. Raises `DeliveryError` where a secret or a certificate
        cannot be read.
        """
        self.broker = settings.broker
        # Payloads by topic, as they were when the connection was made or came back.
        self.retained: dict[str, bytes] = {}
        self._present = present
        self._retained_below = retained_below
        self._changed = Condition()
        self._let_in = self._connected = self._ended = False
        self._outcomes: dict[int, Any] = {}
        self._problem: str | None = None
        self._client = _new_client(settings, client_id, will)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._address = settings.address
        # Looking a name up, or a handshake, may take longer than whoever waits can.
        Thread(target=self._connect, name="mqtt", daemon=True).start()

    @property
    def usable(self) -> bool:
        """Whether it is connected now."""
        return self._connected and not self._ended

    def wait_until_connected(self, until: float) -> None:
        """Return once the broker has let us in; raises `DeliveryError` where it has not until then (monotonic)."""
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._ended, until - time.monotonic())
            if not self.usable:
                raise DeliveryError(f"{self.broker}: {self._problem or 'does not answer in time'}")

    def publish(self, publications: Sequence[Publication], until: float) -> None:
        """Return once the broker has confirmed all of them; raises `DeliveryError` where it has not until then."""
        with self._changed:
            self._outcomes.clear()
            self._problem = None
        sent = {self._publish(one): one.topic for one in publications}
        outcomes = self._outcomes
        with self._changed:
            self._changed.wait_for(lambda: self._ended or sent.keys() <= outcomes.keys(), until - time.monotonic())
            if not sent.keys() <= outcomes.keys():
                raise DeliveryError(f"{self.broker}: {self._problem or 'does not confirm a message in time'}")
        for key, topic in sent.items():
            if outcomes[key].is_failure:
                raise DeliveryError(
                    f"{self.broker}: does not take what is published to {topic}: {outcomes[key]}; let this user do it"
                )

    def close(self) -> None:
        """Hang up. What was not confirmed may have been taken or not."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._client.disconnect()

    def _publish(self, one: Publication) -> int:
        return int(self._client.publish(one.topic, one.payload, QUALITY_OF_SERVICE, one.retain).mid)

    def _connect(self) -> None:
        try:
            self._client.connect(*self._address, KEEP_ALIVE_SECONDS)
        except (OSError, ValueError) as error:
            self._end(connection_problem(error))
            return
        if self._ended:
            self._client.disconnect()
        else:
            self._client.loop_start()

    def _end(self, problem: str) -> None:
        with self._changed:
            self._problem = problem
            self._ended = True
            self._changed.notify_all()

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure or self._ended:
            self._end(f"does not let us in: {code}; see user, password_file and protocol")
            client.disconnect()
            return
        if self._retained_below is not None:
            client.subscribe(self._retained_below)
        if self._let_in:
            for one in self._present():
                self._publish(one)
        with self._changed:
            self._let_in = self._connected = True
            self._problem = None
            self._changed.notify_all()

    def _on_disconnect(self, client: Client, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        said = f" and says: {code}" if flags.is_disconnect_packet_from_server else ""
        with self._changed:
            self._connected = False
            self._problem = self._problem or f"has closed the connection{said}"
        if not self._let_in and not self._ended:
            self._end(f'{self._problem}, before it let us in; if it knows no MQTT 5, set protocol = "3.1.1"')
            client.disconnect()

    def _on_message(self, _client: Client, _data: Any, message: Any) -> None:
        # What comes later is what we or others publish.
        ours = message.retain and len(message.payload) <= LONGEST_RETAINED_BYTES
        if ours and len(self.retained) < MOST_RETAINED:
            self.retained[message.topic] = message.payload

    def _on_publish(self, _client: Client, _data: Any, message: int, code: Any, _properties: Any) -> None:
        with self._changed:
            self._outcomes[message] = code
            self._changed.notify_all()


def _new_client(settings: Settings, client_id: str, will: Publication | None) -> Client:
    protocol = MQTTv5 if settings.protocol == "5" else MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
    client.connect_timeout = settings.timeout_seconds
    client.reconnect_delay_set(SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    if will is not None:
        client.will_set(will.topic, will.payload, QUALITY_OF_SERVICE, will.retain)
    if settings.user is not None:
        client.username_pw_set(settings.user, settings.password())
    context = settings.tls()
    if context is not None:
        client.tls_set_context(context)
    return client
