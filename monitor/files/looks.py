"""What a file looks like without reading it: the one notion of it that all parts of the program share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

# The range of a database's 64-bit integer.
_LOWEST_INTEGER: Final = -(2**63)
_HIGHEST_INTEGER: Final = 2**63 - 1


class StoredLooks(NamedTuple):
    """The part of `Looks` that the store keeps; ``mtime_ns`` is clamped to 64 bits."""

    size_bytes: int
    mtime_ns: int


class HasStoredLooks(Protocol):
    """A row of the store about a file."""

    @property
    def size_bytes(self) -> int:
        """As in `StoredLooks`."""

    @property
    def mtime_ns(self) -> int:
        """As in `StoredLooks`."""


class Looks(NamedTuple):
    """What a file looks like from outside.

    ``mtime_ns``: when its content last changed. ``ctime_ns``: when anything about it last changed, which renaming it
    and changing its permissions do too. Both in nanoseconds since 1970.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """What the system says of a file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def stored(self) -> StoredLooks:
        """What the store keeps of it."""
        # A file's time may lie centuries ahead, beyond what a database's integer holds.
        return StoredLooks(self.size_bytes, max(_LOWEST_INTEGER, min(self.mtime_ns, _HIGHEST_INTEGER)))


def look(path: str | Path) -> Looks | None:
    """What the file looks like now, without following a link; None when it is gone or cannot be looked at."""
    try:
        return Looks.of(os.lstat(path))
    except OSError:
        return None


def is_unchanged(looks: Looks | None, row: HasStoredLooks) -> bool:
    """Whether a file still looks as it did when its row was written; one that is gone does not."""
    return looks is not None and looks.stored == (row.size_bytes, row.mtime_ns)


def is_gone(path: str | Path) -> bool:
    """Whether there is no file; one that cannot be looked at counts as there."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
