"""The receivers of field buses: each with what a plant has behind it, and with the state that it shows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from tests.support import modbus_device, opcua_server
from tests.support.alarm_torture.receivers import Received, Server, by_fields
from tests.support.modbus_device import Device
from tests.support.mosquitto import Broker, Listener
from tests.support.opcua_server import PlcServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

HOLES: Final = 64
# What the broker keeps when it is killed: every change, what it had half an hour ago (Debian's default), or nothing.
BROKERS: Final = {
    "always": (),
    "rarely": ("autosave_interval 1800", "autosave_on_changes false"),
    "never": ("persistence false",),
}


class Bus(Server):
    """One with heartbeats and a state of each hole."""

    has_state = True
    # What the sink is to have: the seconds between heartbeats.
    HEARTBEAT: Final = "heartbeat_seconds = 2"


class Mqtt(Bus):
    """A broker, and a client of it that the broker keeps messages for while it is away."""

    name = "mqtt"

    def __init__(self, folder: Path, keeps: str = "always") -> None:
        """``keeps``: one of `BROKERS`."""
        self._broker = Broker(folder, *BROKERS[keeps])
        self._listener: Listener | None = None

    def start(self) -> None:
        self._broker.start()

    def kill(self) -> None:
        self._broker.kill()

    def section(self) -> str:
        return f'url = "mqtt://127.0.0.1:{self._broker.port}"\ntopic = "plant"\ntimeout_seconds = 2\n{self.HEARTBEAT}'

    def enter(self, stack: ExitStack) -> None:
        super().enter(stack)
        self._listener = Listener(self._broker, "plant/messages", "scada")
        stack.callback(self._listener.stop)

    def received(self) -> list[Received]:
        assert self._listener is not None
        found = [
            (at, json.loads(payload))
            for at, (_, payload, _) in zip(self._listener.at, self._listener.got, strict=False)
        ]
        return [Received(at, message["id"], message) for at, message in found]

    def shown(self) -> set[str]:
        listener = Listener(self._broker, "plant/+/+/state")
        time.sleep(0.3)  # what is retained comes right after the subscription, and nothing says that it was all
        listener.stop()
        states = {topic.split("/")[2]: json.loads(payload)["state"] for topic, payload in listener.newest().items()}
        return {f"{hole} {state}" for hole, state in states.items() if state != "quiet"}

    def to_show(self, holes: Mapping[str, str], running: Sequence[int]) -> set[str]:
        return {f"{hole} {state}" for hole, state in holes.items()}


class Modbus(Bus):
    """A Modbus device whose program takes each message."""

    name = "modbus"

    def __init__(self, folder: Path) -> None:
        self._device = Device(folder)
        self._plc = modbus_device.Program(self._device)

    def start(self) -> None:
        self._device.start()

    def kill(self) -> None:
        self._device.kill()

    def enter(self, stack: ExitStack) -> None:
        super().enter(stack)
        stack.enter_context(self._plc)

    def section(self) -> str:
        return f'host = "127.0.0.1"\nport = {self._device.port}\nholes = {HOLES}\ntimeout_seconds = 1\n{self.HEARTBEAT}'

    def key(self, message: Mapping[str, Any]) -> str:
        return by_fields(message)

    def received(self) -> list[Received]:
        kinds = {1: "opened", 2: "more", 3: "acknowledged", 4: "closed"}
        return [
            Received(at, f"{high << 16 | low} {kinds.get(kind, kind)} {crops}")
            for at, (_, kind, _, _, high, low, crops) in zip(self._plc.taken_at, self._plc.taken, strict=False)
        ]

    def shown(self) -> set[str]:
        return {"table" if coil == HOLES + 1 else str(coil) for coil in self._device.coils()}

    def to_show(self, holes: Mapping[str, str], running: Sequence[int]) -> set[str]:
        return {hole for hole, state in holes.items() if state == "alarm"}


class Opcua(Bus):
    """An OPC UA server whose program takes each message."""

    name = "opcua"

    def __init__(self, folder: Path) -> None:
        self._server = PlcServer(folder)
        self._plc = opcua_server.Program(self._server)

    def start(self) -> None:
        self._server.start(nodes=opcua_server.nodes(HOLES))

    def kill(self) -> None:
        self._server.kill()

    def enter(self, stack: ExitStack) -> None:
        super().enter(stack)
        stack.enter_context(self._plc)

    def section(self) -> str:
        node = "ns=2;s=Monitor.{name}"
        return (
            f'url = "{self._server.url}"\nnode = "{node}"\nlast_hole = {HOLES}\ntimeout_seconds = 2\n{self.HEARTBEAT}'
        )

    def received(self) -> list[Received]:
        pairs = zip(self._plc.taken_at, self._plc.taken, strict=False)
        return [Received(at, message["id"], message) for at, (_, message) in pairs]

    def shown(self) -> set[str]:
        words = {1: "alarm", 2: "acknowledged"}
        shown = {name.removeprefix("Hole"): words[one] for name, one in self._server.holes().items()}
        return {f"{name.replace('Table', 'table')} {state}" for name, state in shown.items()}

    def to_show(self, holes: Mapping[str, str], running: Sequence[int]) -> set[str]:
        return {f"{hole} {state}" for hole, state in holes.items()}
