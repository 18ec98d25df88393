"""Addresses of receivers, as settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Collection


def _host_name(value: str) -> str:
    # One colon is before a port; an address of IPv6 has more.
    if not _can_be_looked_up(value) or any(one in value for one in "/@") or value.count(":") == 1:
        raise ValueError(
            "is not the name or the address of a host; write one such as plc.plant.example, and its port as port"
        )
    return value


# The name or the address of a host, without a port.
HostName = Annotated[str, AfterValidator(_host_name)]


def plain_address(value: str, schemes: Collection[str], *, what: str, example: str, remedy: str) -> str:
    """An address with one of these schemes and a host, without a name or a password; raises `ValueError` otherwise.

    ``what``: it is the address of; ``remedy``: where a password belongs instead.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and _can_be_looked_up(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _is_visible(value):
        raise ValueError(f"is not the address of {what}; write one such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"has a name or a password in it; {remedy}")
    return value


def address_of(url: str, ports: dict[str, int]) -> tuple[str, int]:
    """The host and the port of a plain address; ``ports``: of each scheme, which apply where it names none."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    return parts.hostname, parts.port or ports[parts.scheme]


def _is_visible(value: str) -> bool:
    return not any(one.isspace() or not one.isprintable() for one in value)


def _can_be_looked_up(host: str) -> bool:
    """Whether the system can be asked for it, which does not say that it is there."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and _is_visible(host)
