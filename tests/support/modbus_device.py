"""A real Modbus server in a process of its own that can be killed and started again, and what a PLC's program does."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from tests.support.server_process import PlcProgram, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

SERVER: Final = """
import sys
from pymodbus.server import StartTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

coils = [SimData(0, count=200, values=False, datatype=DataType.BITS)]
inputs = [SimData(0, count=1, values=False, datatype=DataType.BITS)]
holding = [SimData(0, count=100, values=0, datatype=DataType.REGISTERS)]
reading = [SimData(0, count=1, values=0, datatype=DataType.REGISTERS)]
StartTcpServer(SimDevice(1, simdata=(coils, inputs, holding, reading)), address=("127.0.0.1", int(sys.argv[1])))
"""


def missing() -> str | None:
    """Why no device can be started here; None if one can."""
    return None if find_spec("pymodbus") else "needs the extra proliv-monitor[modbus]"


class Device(ServerProcess):
    """A device with 200 coils and 100 holding registers, all 0 at each start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "modbus.log")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.run([sys.executable, "-c", SERVER, str(self.port)])

    def coils(self, count: int = 200) -> list[int]:
        """The numbers of the coils that are on."""
        with self._client() as client:
            bits = client.read_coils(0, count=count).bits[:count]
        return [number for number, one in enumerate(bits) if one]

    def registers(self, first: int = 0, count: int = 12) -> list[int]:
        """The values of holding registers."""
        with self._client() as client:
            return list(client.read_holding_registers(first, count=count).registers)

    def write(self, register: int, value: int) -> None:
        """Write a holding register, as the PLC's own program would."""
        with self._client() as client:
            client.write_register(register, value)

    def _client(self) -> Any:
        from pymodbus.client import ModbusTcpClient

        return ModbusTcpClient("127.0.0.1", port=self.port, timeout=10)

    def answers(self) -> bool:
        """Whether its registers can be read."""
        with suppress(Exception):
            return len(self.registers()) == 12
        return False


class Program(PlcProgram):
    """What a PLC does with it: it takes each new message, and confirms its sequence number."""

    def __init__(self, device: Device, first_register: int = 0) -> None:
        super().__init__()
        self.taken: list[list[int]] = []
        self._device = device
        self._first = first_register

    def run(self) -> None:
        """Take messages."""
        while not self.ended.wait(0.02):
            with suppress(Exception):  # the device may be off
                acknowledged, _, status, sequence, *message = self._device.registers(self._first)
                if status & 2 and sequence != acknowledged:
                    self.taken_at.append(time.time())
                    self.taken.append([sequence, *message[:6]])
                    self._device.write(self._first, sequence)
