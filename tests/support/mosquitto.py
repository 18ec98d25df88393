"""A real MQTT broker on loopback that can be killed and started again, and a client that listens to it."""

from __future__ import annotations

import shutil
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from monitor.harness.waiting import wait_until
from tests.support.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAM: Final = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def missing() -> str | None:
    """Why no broker can be started here; None if one can."""
    if PROGRAM is None or find_spec("paho") is None:
        return "needs mosquitto (Debian: apt install mosquitto) and the extra proliv-monitor[mqtt]"
    return None


class Broker(ServerProcess):
    """One mosquitto; it keeps what is retained, from one start to the next, and with `stop` until that moment."""

    def __init__(self, folder: Path, *lines: str) -> None:
        """``lines``: of its configuration, such as ``allow_anonymous false``."""
        super().__init__(folder / "mosquitto.log")
        self._file = folder / "mosquitto.conf"
        self._store = folder / "mosquitto"
        self._store.mkdir()
        self.configure(*lines)

    def configure(self, *lines: str) -> None:
        """Write its configuration, which counts from the next start on."""
        listens = [f"listener {self.port} 127.0.0.1", "user root"]
        access = [] if any(line.startswith("allow_anonymous") for line in lines) else ["allow_anonymous true"]
        kept = ["persistence true", f"persistence_location {self._store}/", "autosave_interval 1"]
        text = "\n".join([*listens, *access, *kept, "autosave_on_changes true", *lines, ""])
        self._file.write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        assert PROGRAM is not None
        self.run([PROGRAM, "-c", self._file])


class Listener:
    """Gets everything below a topic; comes back by itself when the broker does."""

    def __init__(self, broker: Broker, topic: str = "#", name: str = "") -> None:
        """With a ``name``, the broker keeps what comes while it is away."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.got: list[tuple[str, bytes, bool]] = []
        # When each of them came, in Unix time.
        self.at: list[float] = []
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, name, clean_session=not name)
        self._client.reconnect_delay_set(1, 1)

        def connected(client: Any, *_: Any) -> None:
            client.subscribe(topic, 1)

        def subscribed(*_: Any) -> None:
            self._subscribed = True

        def taken(_client: Any, _data: Any, message: Any) -> None:
            self.at.append(time.time())
            self.got.append((message.topic, message.payload, message.retain))

        self._client.on_connect = connected
        self._client.on_subscribe = subscribed
        self._client.on_message = taken
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        wait_until(lambda: self._subscribed)

    def payloads(self, topic: str) -> list[bytes]:
        """What has come under a topic."""
        return [payload for name, payload, _ in self.got if name == topic]

    def newest(self) -> dict[str, bytes]:
        """What has come last under each topic."""
        return {name: payload for name, payload, _ in self.got}

    def wait_for(self, topics: Sequence[str]) -> None:
        """Wait until something has come under each of these topics."""
        wait_until(lambda: set(topics) <= set(self.newest()), lambda: f"{self.got}")

    def publish(self, topic: str, payload: bytes) -> None:
        """Let the broker retain this."""
        self._client.publish(topic, payload, 1, retain=True).wait_for_publish(10)

    def stop(self) -> None:
        """Hang up."""
        self._client.disconnect()
        self._client.loop_stop()
