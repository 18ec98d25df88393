"""The section of config.toml about the page, and what it refuses as unsafe."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from pydantic import Field, field_validator, model_validator

from monitor.configuration.section import OptionalFolder, Section

# A host as browsers name it, without a port; an address of IPv6 in brackets.
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\]")


class Web(Section):
    """``[web]``: the page, `monitor web`."""

    host: str = "127.0.0.1"
    port: int = Field(8464, ge=0, le=65535)
    users: OptionalFolder = None
    hosts: tuple[str, ...] = ()
    certificate: OptionalFolder = None
    key: OptionalFolder = None

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(host.lower() for host in hosts)
        for host in lowered:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is not a host as browsers name it; write it without scheme and port")
        return lowered

    @model_validator(mode="after")
    def _both_or_none(self) -> Web:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both, or none for plain HTTP")
        return self

    @model_validator(mode="after")
    def _nobody_unknown(self) -> Web:
        """Without users whoever reaches the page may do what operators may: that is for this machine alone."""
        if not is_loopback(self.host):
            if self.users is None:
                raise ValueError(
                    f"host {self.host} lets other machines in, and then people have to log in: name a file of users "
                    "(see: monitor web user add --help), or keep host = 127.0.0.1"
                )
            if self.certificate is None:
                raise ValueError(
                    f"host {self.host} lets other machines in, and passwords must not cross a network in the clear: "
                    "give certificate and key, or keep host = 127.0.0.1 behind a proxy that speaks HTTPS"
                )
        elif self.hosts and self.users is None:
            raise ValueError(
                "hosts are for a proxy that lets other machines in, and then people have to log in: name a file of "
                "users (see: monitor web user add --help)"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; other names than localhost may be any machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
