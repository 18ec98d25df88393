"""The settings of the sink `opcua`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator, model_validator

from plugins.sinks.addresses import plain_address
from plugins.sinks.settings import ControllerSettings, LoginSettings

MOST_HOLES: Final = 1000
PLACE: Final = "{name}"
# A node whose id is a text, or bytes; the others have no place for a name.
_NODE: Final = re.compile(r"(ns=\d{1,5};)?[sb]=.*\{name\}.*")


class Settings(LoginSettings, ControllerSettings):
    """``url``: opc.tcp, host, port and path. ``node``: the id of a node, with ``{name}`` for what it is.

    ``certificate``, ``key``, ``server_certificate``: ours, and the only one that the server may have; with them
    everything is signed and encrypted.
    """

    url: str
    node: str
    first_hole: int = Field(1, ge=0)
    last_hole: int = Field(64, ge=0)
    certificate: Path | None = None
    key: Path | None = None
    server_certificate: Path | None = None
    application_uri: str = "urn:proliv-monitor"
    # For each request.
    timeout_seconds: float = Field(4.0, gt=0, le=5)

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
        if value.count(PLACE) != 1 or not value.isprintable() or not _NODE.fullmatch(value):
            raise ValueError(
                "should be the id of a node, the number of its namespace and a text with {name} in it once, such as "
                "ns=2;s=Monitor.{name}"
            )
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Settings:
        if not 0 <= self.last_hole - self.first_hole < MOST_HOLES:
            raise ValueError(f"first_hole and last_hole should be the lowest and highest of up to {MOST_HOLES} holes")
        given = [one is not None for one in (self.certificate, self.key, self.server_certificate)]
        if any(given) and not all(given):
            raise ValueError("certificate, key and server_certificate belong together; give all of them, or none")
        return self

    def node_of(self, name: str) -> str:
        """The id of the node of this name."""
        return self.node.replace(PLACE, name)
