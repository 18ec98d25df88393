"""Opens files without following a link, neither at the file nor on the way to it below a folder that is trusted.

Anyone who may write into a watched folder may put a link in the place of a file or a folder at any moment. So the names
below the folder are opened one after the other, each in the folder that was opened before it. The folder itself is the
configuration's, and may be a link.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.looks import Looks

if TYPE_CHECKING:
    from collections.abc import Sequence

# Open a file without following a link, waiting for a pipe's writer or becoming the master of a terminal.
READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Content(NamedTuple):
    """The sha256 of a file's content, as 64 hexadecimal digits, and what the file looked like before it was read."""

    sha256: str
    looks: Looks


def not_waiting(path: str, _flags: int) -> int:
    """An ``opener`` to read a file that a person names: a pipe without a writer is empty; a link is followed."""
    return os.open(path, READING & ~os.O_NOFOLLOW)


def open_below(path: str, roots: Sequence[str] = ()) -> int:
    """Open a file for reading; return its descriptor.

    ``roots``: folders without a slash at their end; no link is followed below the first of them that ``path`` lies in.
    Elsewhere only the file itself must not be a link. Raises `OSError`, ELOOP for a link.
    """
    for root in roots:
        if path.startswith(root) and path[len(root) : len(root) + 1] == "/":
            break
    else:
        return os.open(path, READING)
    if path.find("/", len(root) + 1) < 0:
        return os.open(path, READING)
    first, *between, name = path[len(root) + 1 :].split("/")
    folder = _open_folder(f"{root}/{first}")
    try:
        for inner in between:
            outer, folder = folder, _open_folder(inner, folder)
            os.close(outer)
        return os.open(name, READING, dir_fd=folder)
    finally:
        os.close(folder)


def content_of(path: str) -> Content | None:
    """Read a regular file for what its content is; None where that cannot be done."""
    try:
        descriptor = os.open(path, READING)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        looks = Looks.of(status).as_read(time.time_ns())
        return Content(digest_of_open(descriptor), looks)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def digest_of_open(descriptor: int) -> str:
    """The sha256 of an open regular file, which stays open, as 64 hexadecimal digits. Raises `OSError`."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_folder(name: str, outer: int | None = None) -> int:
    try:
        return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=outer)
    except NotADirectoryError:
        # The system says of a link only that it is no folder.
        if stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise
