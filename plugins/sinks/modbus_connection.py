"""A connection to a Modbus device by TCP. Whatever goes wrong closes it, so that no late answer counts for another.

Imported only where pymodbus is installed.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from pymodbus.client import ModbusTcpClient

from monitor.api import DeliveryError, connection_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugins.sinks.modbus_settings import Settings

# What it says is raised as well, again and again.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
# What devices answer that refuse a request, by the protocol's numbers.
REFUSALS: Final = {
    1: "it knows no such function",
    2: "it has no such address",
    3: "it does not take such a value",
    4: "it has failed",
    6: "it is busy",
    10: "there is no way to the unit",
    11: "the unit does not answer",
}
# The settings that some of them are about.
SEE: Final = {2: "unit, first_coil, holes and first_register", 10: "unit", 11: "unit"}


class ModbusConnection:
    """Connects at once; raises `DeliveryError` where it cannot."""

    def __init__(self, settings: Settings) -> None:
        self._device = settings.device
        self._unit = settings.unit
        self._client: Any = ModbusTcpClient(
            settings.host, port=settings.port, timeout=settings.timeout_seconds, retries=0
        )
        try:
            # The library's own way of connecting keeps to itself why it did not.
            self._client.socket = socket.create_connection((settings.host, settings.port), settings.timeout_seconds)
        except OSError as error:
            raise DeliveryError(f"{self._device}: {connection_problem(error)}") from None
        self.usable = True

    def write_coils(self, address: int, values: Sequence[bool]) -> None:
        """Write coils from this address on, in one request."""
        what = f"coils {address} to {address + len(values) - 1}"
        self._ask(what, lambda: self._client.write_coils(address, list(values), device_id=self._unit))

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """Write holding registers from this address on, in one request."""
        what = f"holding registers {address} to {address + len(values) - 1}"
        self._ask(what, lambda: self._client.write_registers(address, list(values), device_id=self._unit))

    def read_register(self, address: int) -> int:
        """The value of a holding register."""
        request = lambda: self._client.read_holding_registers(address, count=1, device_id=self._unit)  # noqa: E731
        registers = self._ask(f"holding register {address}", request).registers
        if len(registers) != 1:
            self.close()
            raise DeliveryError(f"{self._device}: gives {len(registers)} values for holding register {address}")
        return int(registers[0])

    def hurry(self, seconds: float) -> None:
        """Wait no longer for each of the next answers."""
        self._client.comm_params.timeout_connect = min(self._client.comm_params.timeout_connect, seconds)

    def close(self) -> None:
        """Hang up."""
        self.usable = False
        self._client.close()

    def _ask(self, what: str, request: Callable[[], Any]) -> Any:
        try:
            answer = request()
        # Whatever a device sends.
        except Exception as error:  # noqa: BLE001
            self.close()
            lost = isinstance(error, OSError)
            problem = connection_problem(error) if lost else "does not answer, or not what was asked"
            raise DeliveryError(f"{self._device}: {problem} ({what} of unit {self._unit})") from None
        if answer.isError():
            number = getattr(answer, "exception_code", None)
            because = REFUSALS.get(number, "it does not say why") if number is not None else "it does not say why"
            see = f"; see {SEE[number]}" if number in SEE else ""
            raise DeliveryError(
                f"{self._device}: does not give or take {what} of unit {self._unit}: {because} (exception {number})"
                f"{see}"
            )
        return answer
