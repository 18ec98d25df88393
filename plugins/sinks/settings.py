"""What the settings of sinks have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
