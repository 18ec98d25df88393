"""Files that root makes beside those of a service, whose user has to be able to use them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def give_same_owner(path: Path | int, like: Path) -> None:
    """Give a file (or open descriptor) the owner and group of ``like`` where this program runs as root and may do so.

    SQLite does the same with its own files.
    """
    if os.geteuid() == 0:
        # Some file systems know no owners, and some root users may not change them.
        with suppress(OSError):
            status = like.stat()
            os.chown(path, status.st_uid, status.st_gid)
