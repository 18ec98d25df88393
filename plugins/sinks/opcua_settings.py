"""The settings of the sink `opcua`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from monitor.api import DeliveryError, read_secret_line
from plugins.sinks.addresses import plain_address
from plugins.sinks.settings import SinkSettings

MOST_HOLES: Final = 1000
PLACE: Final = "{name}"


class Settings(SinkSettings):
    """``url``: opc.tcp, host, port and path. ``node``: the id of a node, with ``{name}`` for what it is.

    ``camera``: whose holes these are; empty: those of all cameras. ``certificate``, ``key``, ``server_certificate``:
    ours, and the only one that the server may have; with them everything is signed and encrypted. ``handshake``:
    whether the PLC confirms each message.
    """

    url: str
    node: str
    camera: str = ""
    first_hole: int = Field(1, ge=0)
    last_hole: int = Field(64, ge=0)
    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_certificate: Path | None = None
    application_uri: str = "urn:proliv-monitor"
    handshake: bool = True
    # For each request.
    timeout_seconds: float = Field(4.0, gt=0, le=5)
    acknowledge_seconds: float = Field(2.0, gt=0, le=20)

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        remedy = "give the name as user, and put the password into a file: password_file"
        return plain_address(
            value, ("opc.tcp",), what="an OPC UA server", example="opc.tcp://host:4840/path", remedy=remedy
        )

    @field_validator("node")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        if value.count(PLACE) != 1 or not value.isprintable():
            raise ValueError("should be the id of a node with {name} in it once, such as ns=2;s=Monitor.{name}")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Settings:
        if not 0 <= self.last_hole - self.first_hole < MOST_HOLES:
            raise ValueError(f"first_hole and last_hole should be the lowest and highest of up to {MOST_HOLES} holes")
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file needs a user")
        given = [one is not None for one in (self.certificate, self.key, self.server_certificate)]
        if any(given) and not all(given):
            raise ValueError("certificate, key and server_certificate belong together; give all of them, or none")
        return self

    def node_of(self, name: str) -> str:
        """The id of the node of this name."""
        return self.node.replace(PLACE, name)

    def password(self) -> str | None:
        """What is in `password_file` now; raises `DeliveryError` where that cannot be read."""
        return None if self.password_file is None else read_secret_line(self.password_file)

    def require_files(self) -> None:
        """Raise `DeliveryError` where a certificate or the key cannot be read."""
        for file in (self.certificate, self.key, self.server_certificate):
            if file is not None:
                try:
                    file.read_bytes()
                except OSError as error:
                    raise DeliveryError(f"{file}: cannot be read: {error.strerror}") from None
