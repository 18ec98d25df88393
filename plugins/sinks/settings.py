"""What the settings of sinks have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.api import read_secret_line

# A message that is being sent is left alone by other programs for a minute.
Patience = Annotated[float, Field(gt=0, le=50)]


class SinkSettings(BaseModel):
    """No key that is not known, and no value in an error, for it may be a secret in the wrong place."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ConnectionSettings(SinkSettings):
    """Of a sink that connects to a receiver.

    ``certificate_authority``: a PEM file with the certificates that are trusted instead of the system's.
    ``timeout_seconds``: for all of a message.
    """

    certificate_authority: Path | None = None
    timeout_seconds: Patience = 10.0


class LoginSettings(SinkSettings):
    """Of a sink that may log in: as ``user``, perhaps with the password that is in ``password_file``."""

    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file needs a user")
        return self

    def password(self) -> str | None:
        """What is in `password_file` now; raises `DeliveryError` where that cannot be read."""
        return None if self.password_file is None else read_secret_line(self.password_file)


class ControllerSettings(SinkSettings):
    """Of a sink that writes to a PLC.

    ``camera``: whose holes these are; empty: those of all cameras. ``handshake``: whether the PLC confirms each
    message, and ``acknowledge_seconds``: how long it is waited for that.
    """

    camera: str = ""
    handshake: bool = True
    acknowledge_seconds: float = Field(2.0, gt=0, le=20)
