"""Passwords as they are stored, and whether one that was given is right."""

from __future__ import annotations

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 8
LONGEST: Final = 1000

# The library's choice, which is the second one that RFC 9106 recommends: 64 MiB and some 50 ms.
_HASHER: Final = PasswordHasher()


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _HASHER.hash(password)


def is_hash(text: str) -> bool:
    """Whether this is what is stored of a password."""
    return text.startswith("$argon2id$")


def is_right(stored: str | None, password: str) -> bool:
    """Whether a password is the stored one; None, for somebody who is unknown, takes as long."""
    try:
        _HASHER.verify(_of_nobody() if stored is None else stored, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _of_nobody() -> str:
    return hashed("the password of somebody who is unknown")
