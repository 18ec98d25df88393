"""Folders that the program makes, and how they are known to be whole."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What begins with this was cut off by a crash and can be removed; docs/retention.md says so too.
UNFINISHED_PREFIX: Final = ".unfinished-"
# What file systems answer that cannot flush a folder: shared folders of virtual machines, and some network drives.
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def make_folder(folder: Path) -> None:
    """Make a folder with its parents; raises `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # A service of systemd may write only to the folders that its unit lists.
        service = "; create it, or if a service has to write there, rewrite its unit: monitor deploy systemd"
        remedy = service if error.errno == errno.EROFS else ""
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror}{remedy}") from None


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A new folder in ``parent`` to write something into that is renamed once it is whole; deleted in the end.

    Raises `OSError` where none can be made.
    """
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            flush_folder(descriptor)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(descriptor: int) -> None:
    """Wait until the names in an open folder are on the disk, where its file system can do that; raises `OSError`."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
