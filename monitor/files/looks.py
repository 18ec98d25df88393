"""What a file looks like without reading it: the one notion of it that all parts of the program share.

Size and modification time are a cheap key, and not enough: `cp -p`, `rsync -t` and formats of a fixed size put another
content under the same ones. The change time, which no program can set, and the inode tell such a file from the first.
They also differ where the content is the same, as after a rename or a change of permissions, so a difference in these
two alone means that the content has to be compared.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

# The range of a database's 64-bit integer.
_LOWEST_INTEGER: Final = -(2**63)
_HIGHEST_INTEGER: Final = 2**63 - 1
_SECOND: Final = 1_000_000_000
# The coarsest clock of a file system in use counts two seconds (FAT); a little is added for the system's own clock.
_COARSE_NS: Final = 3 * _SECOND


class StoredLooks(NamedTuple):
    """`Looks` as the store keeps them, all within 64 bits.

    ``ctime_ns`` and ``inode`` are None together: in rows of older programs, and where `Looks.inode` is.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    inode: int | None


class HasSizeAndTime(Protocol):
    """A row of the store about a file."""

    @property
    def size_bytes(self) -> int:
        """As in `StoredLooks`."""

    @property
    def mtime_ns(self) -> int:
        """As in `StoredLooks`."""


class HasStoredLooks(HasSizeAndTime, Protocol):
    """A row of the store with everything that a file looked like."""

    @property
    def ctime_ns(self) -> int | None:
        """As in `StoredLooks`."""

    @property
    def inode(self) -> int | None:
        """As in `StoredLooks`."""


class Looks(NamedTuple):
    """What a file looks like from outside.

    ``mtime_ns``: when its content last changed. ``ctime_ns``: when anything about it last changed, which renaming it
    and changing its permissions do too. Both in nanoseconds since 1970. ``inode``: which file of its file system it is;
    None where a later change might not show in these looks, see `as_read`.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int | None = None

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """What the system says of a file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def as_read(self, now_ns: int) -> Self:
        """The looks of a file whose content is read at ``now_ns``, in nanoseconds since 1970.

        A file system may count whole seconds. The next change may then leave the same time as the last one did, so the
        looks of a file that has just changed are no proof, and it is compared with its row once more later.
        """
        if self.ctime_ns % _SECOND == 0 and abs(now_ns - self.ctime_ns) < _COARSE_NS:
            return self._replace(inode=None)
        return self

    @property
    def stored(self) -> StoredLooks:
        """What the store keeps of it."""
        # A file's time may lie centuries ahead, beyond what a database's integer holds.
        mtime_ns = _storable(self.mtime_ns)
        if self.inode is None:
            return StoredLooks(self.size_bytes, mtime_ns, None, None)
        # The system's number has no sign.
        inode = self.inode if self.inode <= _HIGHEST_INTEGER else self.inode - 2**64
        return StoredLooks(self.size_bytes, mtime_ns, _storable(self.ctime_ns), inode)


def _storable(number: int) -> int:
    if _LOWEST_INTEGER <= number <= _HIGHEST_INTEGER:
        return number
    return _LOWEST_INTEGER if number < 0 else _HIGHEST_INTEGER


def look(path: str | Path) -> Looks | None:
    """What the file looks like now, without following a link; None when it is gone or cannot be looked at."""
    try:
        return Looks.of(os.lstat(path))
    except OSError:
        return None


def is_unchanged(looks: Looks | None, row: HasStoredLooks) -> bool:
    """Whether a file is surely the one that its row was written of; one that is gone is not."""
    return row.inode is not None and looks is not None and looks.stored == _stored(row)


def may_be_unchanged(looks: Looks | None, row: HasSizeAndTime) -> bool:
    """Whether a file may be the one that its row was written of, which its content alone can tell."""
    return looks is not None and looks.stored[:2] == (row.size_bytes, row.mtime_ns)


def is_gone(path: str | Path) -> bool:
    """Whether there is no file; one that cannot be looked at counts as there."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _stored(row: HasStoredLooks) -> tuple[int, int, int | None, int | None]:
    return row.size_bytes, row.mtime_ns, row.ctime_ns, row.inode
