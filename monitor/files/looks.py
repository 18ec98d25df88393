"""What a file looks like without reading it: its size and the times of its changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


Signature = tuple[int, int, int]
"""(bytes, time of the last change of the content, of the file itself), both in ns; renaming and permissions count."""


def is_gone(path: str | Path) -> bool:
    """Whether there is no file; one that cannot be looked at counts as there."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def signature(path: str | Path) -> tuple[int, int] | None:
    """(bytes, last change in ns) by which a file is known without reading it; none when it is gone."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size, storable(status.st_mtime_ns)


def storable(nanoseconds: int) -> int:
    """A file's time may lie centuries ahead, beyond what a database's integer holds."""
    return max(-(2**63), min(nanoseconds, 2**63 - 1))


def look(path: str | Path) -> Signature | None:
    """What a file looks like from outside; none when it is gone."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
