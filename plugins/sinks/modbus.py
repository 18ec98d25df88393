"""The sink that writes the state of each hole, and what happens, to a PLC by Modbus TCP, with a handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugins.sinks.controller import CLOSE_SECONDS, ControllerSink
from plugins.sinks.modbus_settings import MORE_COILS, Settings
from plugins.sinks.packages import require_package

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from monitor.api import HoleState
    from plugins.sinks.modbus_connection import ModbusConnection

# The holding registers, counted from `first_register`.
ACKNOWLEDGED: Final = 0
HEARTBEAT: Final = 1
STATUS: Final = 2
SEQUENCE: Final = 3
MESSAGE: Final = 4
IN_ALARM: Final = 10
# The bits of STATUS.
GOOD: Final = 1
READY: Final = 2
# How messages, and what they are about, are numbered.
KINDS: Final = {"opened": 1, "more": 2, "acknowledged": 3, "closed": 4, "test": 5}
SUBJECTS: Final = {"hole": 1, "file": 2, "table": 3}
# Stands for what is no single hole.
NO_HOLE: Final = 65535


class Modbus(ControllerSink):
    """Writes coils and holding registers."""

    name = "modbus"
    Settings = Settings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        require_package("pymodbus", "pymodbus", self.name)
        self._connection: ModbusConnection | None = None

    def show(self, states: Sequence[HoleState]) -> None:
        """Write all coils, and how many holes are in alarm and acknowledged."""
        ours = [one for one in states if self.is_ours(one.camera)]
        coils = [False] * (self.settings.holes + MORE_COILS)
        for one in ours:
            if one.state == "alarm":
                coils[self._coil(one)] = True
        counts = [
            min(sum(one.kind == "hole" and one.state == state for one in ours), self.largest)
            for state in ("alarm", "acknowledged")
        ]
        self.vouches = True
        self._connected().write_coils(self.settings.first_coil, coils)
        self._write(IN_ALARM, counts)

    def close(self) -> None:
        """Take back that what is shown is good, and hang up."""
        if self._connection is not None and self._connection.usable:
            try:
                if self.vouches:
                    self._connection.hurry(CLOSE_SECONDS)
                    self._write(STATUS, [READY if self._ready else 0])
            finally:
                self._connection.close()

    def read_sequence(self) -> int:
        """The number of the newest message."""
        return self._read(SEQUENCE)

    def read_acknowledged(self) -> int:
        """The number that the PLC has given back."""
        return self._read(ACKNOWLEDGED)

    @property
    def place_of_acknowledgement(self) -> str:
        """The register of it."""
        return f"{self.settings.device}: holding register {self.settings.first_register + ACKNOWLEDGED}"

    def write_message(self, message: Mapping[str, Any]) -> None:
        """Write what a message says as numbers."""
        alarm = message["alarm"]
        hole = alarm["hole"]
        values = [
            KINDS[message["kind"]],
            SUBJECTS[alarm["kind"]],
            NO_HOLE if hole is None else min(hole, NO_HOLE),
            *divmod(alarm["id"] % 2**32, 2**16),
            min(alarm["crops"], self.largest),
        ]
        self._write(MESSAGE, values)

    def write_sequence(self, sequence: int, *, is_ready: bool) -> None:
        """Write a message's number, and whether it waits."""
        good = GOOD if self.vouches else self._read(STATUS) & GOOD
        self._write(STATUS, [good | (READY if is_ready else 0), sequence])

    def write_heartbeat(self, count: int, *, is_ready: bool) -> None:
        """Write the heartbeat, and that what is shown is good."""
        self._write(HEARTBEAT, [count, GOOD | (READY if is_ready else 0)])

    def _coil(self, state: HoleState) -> int:
        """The coil of a hole, of the table, or the one of everything that has none, counted from `first_coil`."""
        holes: int = self.settings.holes
        if state.kind == "table":
            return holes + 1
        if state.kind == "hole" and state.hole is not None and state.hole <= holes:
            return state.hole
        return holes + 2

    def _write(self, register: int, values: Sequence[int]) -> None:
        self._connected().write_registers(self.settings.first_register + register, values)

    def _read(self, register: int) -> int:
        return self._connected().read_register(self.settings.first_register + register)

    def _connected(self) -> ModbusConnection:
        from plugins.sinks.modbus_connection import ModbusConnection

        if self._connection is None or not self._connection.usable:
            self._connection = ModbusConnection(self.settings)
        return self._connection
