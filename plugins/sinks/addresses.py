"""Addresses of receivers, as settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection


def plain_address(value: str, schemes: Collection[str], *, what: str, example: str, remedy: str) -> str:
    """An address with one of these schemes and a host, without a name or a password; raises `ValueError` otherwise.

    ``what``: it is the address of; ``remedy``: where a password belongs instead.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError(f"is not the address of {what}; write one such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"has a name or a password in it; {remedy}")
    return value


def address_of(url: str, ports: dict[str, int]) -> tuple[str, int]:
    """The host and the port of a plain address; ``ports``: of each scheme, which apply where it names none."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    return parts.hostname, parts.port or ports[parts.scheme]
