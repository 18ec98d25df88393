"""The settings of the sink `modbus`."""

from __future__ import annotations

from typing import Final

from pydantic import Field, model_validator

from plugins.sinks.addresses import HostName
from plugins.sinks.settings import ControllerSettings

LAST_ADDRESS: Final = 65535
# How many coils there are beside those of holes from 1 on, and how many holding registers.
MORE_COILS: Final = 3
REGISTERS: Final = 12


class Settings(ControllerSettings):
    """Where the PLC is, and which of its coils and holding registers are ours; addresses count from 0.

    ``unit``: the unit identifier. ``holes``: the highest number of a hole.
    """

    host: HostName
    port: int = Field(502, ge=1, le=65535)
    unit: int = Field(1, ge=0, le=255)
    first_coil: int = Field(0, ge=0, le=LAST_ADDRESS)
    holes: int = Field(64, ge=1, le=1000)
    first_register: int = Field(0, ge=0, le=LAST_ADDRESS)
    # For each request.
    timeout_seconds: float = Field(3.0, gt=0, le=5)

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.first_coil + self.holes + MORE_COILS - 1 > LAST_ADDRESS:
            raise ValueError(f"first_coil and holes reach beyond the last coil, {LAST_ADDRESS}")
        if self.first_register + REGISTERS - 1 > LAST_ADDRESS:
            raise ValueError(f"first_register is too high: {REGISTERS} registers up to {LAST_ADDRESS} are needed")
        return self

    @property
    def device(self) -> str:
        """The PLC's name in messages."""
        return f"{self.host}:{self.port}"
