"""Moves files that could not be scored out of the inbox, without ever following what a name leads to.

Whoever may write into the inbox chooses the names, and may exchange a file for a link at any moment. So every file
gets a new folder of its own, which nobody else has made; a name is never looked up through what was moved before.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from monitor.crops import printable
from monitor.errors import OutputError
from monitor.store.engine import make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.crops import FileContent


def quarantine(path: Path, content: FileContent, folder: Path) -> Path | None:
    """Move ``path`` to ``folder/DIGEST/NAME``, DIGEST being the first digits of its sha256.

    Returns where it lies now, or none when the file is no longer the one whose ``content`` was read: then it is
    left for the watcher to look at again. Raises `OutputError` when it cannot be moved; it stays where it is.
    """
    make_folder(folder)
    try:
        status = os.lstat(path)
        if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != (
            content.size_bytes,
            content.mtime_ns,
            content.ctime_ns,
        ):
            return None
        target = _new_folder(folder, content.sha256[:16]) / path.name
        _move(path, target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(
            f"{printable(path)}: cannot be moved to {printable(folder)}: {error.strerror or error}"
        ) from None
    return target


def _new_folder(folder: Path, name: str) -> Path:
    number = 1
    while True:
        new = folder / (name if number == 1 else f"{name}-{number}")
        try:
            new.mkdir()
        except FileExistsError:
            number += 1
        else:
            return new


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            target.parent.rmdir()
            raise
        _copy(source, target)
        source.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy to another file system; a copy that fails half-way leaves nothing behind."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with open(descriptor, "rb") as reading, target.open("xb") as writing:  # noqa: PTH123 - it opens a descriptor
            shutil.copyfileobj(reading, writing)
    except OSError:
        target.unlink(missing_ok=True)
        target.parent.rmdir()
        raise
