"""The sink that writes the state of each hole, and what happens, to the nodes of an OPC UA server, such as a PLC's."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from plugins.sinks.controller import CLOSE_SECONDS, ControllerSink
from plugins.sinks.opcua_settings import Settings
from plugins.sinks.packages import require_package

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from monitor.api import HoleState
    from plugins.sinks.opcua_connection import OpcuaConnection


class Opcua(ControllerSink):
    """Writes a node for each hole, one for the table, and those of the handshake."""

    name = "opcua"
    Settings = Settings
    # Of a node of 16 bits with a sign, such as an INT of a PLC.
    largest = 32767

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        require_package("asyncua", "asyncua", self.name)
        self._connection: OpcuaConnection | None = None

    def show(self, states: Sequence[HoleState]) -> None:
        """Write the states of all holes, of the table, and of everything that has no node."""
        shown: dict[str, bool | int | str] = dict.fromkeys(self._state_names(), "quiet")
        for one in states:
            if self.is_ours(one.camera):
                name = self._name_of(one)
                # Of several under one name, the worst.
                if shown[name] != "alarm":
                    shown[name] = one.state
        self.vouches = True
        self._connected().write(shown)

    def check(self) -> None:
        """The files that are named must be readable, and certificate and key a pair."""
        self.settings.password()
        if self.settings.certificate is not None:
            from plugins.sinks.opcua_connection import require_pair

            asyncio.run(require_pair(self.settings))

    def close(self) -> None:
        """Take back that what is shown is good, and hang up."""
        if self._connection is not None and self._connection.usable:
            try:
                if self.vouches:
                    self._connection.hurry(CLOSE_SECONDS)
                    self._connection.write({"Quality": False})
            finally:
                self._connection.close()

    def read_sequence(self) -> int:
        """The number of the newest message."""
        return self._connected().read("Sequence")

    def read_acknowledged(self) -> int:
        """The number that the PLC has given back."""
        return self._connected().read("Acknowledged")

    @property
    def place_of_acknowledgement(self) -> str:
        """The node of it."""
        return f"{self.settings.url}: {self.settings.node_of('Acknowledged')}"

    def write_message(self, message: Mapping[str, Any]) -> None:
        """Write the message as JSON."""
        self._connected().write({"Message": json.dumps(message, ensure_ascii=False)})

    def write_sequence(self, sequence: int, *, is_ready: bool) -> None:
        """Write a message's number, and whether it waits."""
        ready = {"Ready": is_ready} if self.settings.handshake else {}
        self._connected().write({"Sequence": sequence, **ready})

    def write_heartbeat(self, count: int, *, is_ready: bool) -> None:  # noqa: ARG002 - it has a node of its own
        """Write the heartbeat, and that what is shown is good."""
        self._connected().write({"Quality": True, "Heartbeat": count})

    def _state_names(self) -> list[str]:
        holes = range(self.settings.first_hole, self.settings.last_hole + 1)
        return [*(f"Hole{hole}" for hole in holes), "Table", "Other"]

    def _name_of(self, state: HoleState) -> str:
        if state.kind == "table":
            return "Table"
        if state.hole is not None and self.settings.first_hole <= state.hole <= self.settings.last_hole:
            return f"Hole{state.hole}"
        return "Other"

    def _connected(self) -> OpcuaConnection:
        from plugins.sinks.opcua_connection import OpcuaConnection

        if self._connection is None or not self._connection.usable:
            handshake = ["Ready", "Acknowledged"] if self.settings.handshake else []
            names = [*self._state_names(), "Heartbeat", "Quality", "Sequence", "Message", *handshake]
            self._connection = OpcuaConnection(self.settings, names)
        return self._connection
