"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


class Role(IntEnum):
    """What a person may do; each may do what those before it may."""

    VIEWER = 1  # looks
    OPERATOR = 2  # labels, acknowledges and closes alarms, and pauses holes
    ENGINEER = 3  # sets thresholds


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the page; ``name`` is the author of what they say."""

    name: str
    role: Role


# Who asks where the configuration names no users, which is possible on loopback only.
LOCAL: Final = Person("local", Role.OPERATOR)
# Who asks before logging in, for the few pages that anybody gets.
NOBODY: Final = Person("", Role.VIEWER)


def person_of(request: HTTPConnection) -> Person:
    """Who asks."""
    person = getattr(request.state, "person", LOCAL)
    assert isinstance(person, Person)
    return person


def require(request: HTTPConnection, role: Role) -> Person:
    """Who asks; refuses with 403 whoever may not do what the role may."""
    person = person_of(request)
    if person.role < role:
        raise HTTPException(403, f"{person.name} is {person.role.name.lower()}; this takes {role.name.lower()}")
    return person
