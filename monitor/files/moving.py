"""Moves files without losing or overwriting any, whatever other programs do in the same folders.

A file is given as its name in an open folder (`Place`), so that no folder on the way to it can be replaced by a link
meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.folders import UNFINISHED_PREFIX, flush_folder
from monitor.files.opening import FOLDER, READING, digest_of_open

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# From linux/fs.h, for renameat2.
_RENAME_NOREPLACE: Final = 1
# What a system says that cannot rename without replacing, or has no hard links. Network file systems may lack the
# first; EPERM is the answer of a file system without the second, and of the kernel for a file of another user.
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


class Place(NamedTuple):
    """A name in an open folder."""

    folder: int
    name: str


@contextmanager
def opened_folder(root: Path, below: Sequence[str] = (), *, make: bool = False) -> Iterator[int]:
    """Open the folder that the names ``below`` lead to from ``root``, without following a link on the way.

    With ``make``, the folders that are missing are created. Raises `OSError`.
    """
    descriptor = os.open(root, FOLDER)
    try:
        for name in below:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=descriptor)
            inner = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def status_of(place: Place) -> os.stat_result | None:
    """What lies at a place, which may be a link; None when nothing does. Raises `OSError`."""
    try:
        return os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def digest(place: Place) -> str | None:
    """The sha256 of a regular file, as 64 hexadecimal digits; None for anything else. Raises `OSError`."""
    try:
        descriptor = os.open(place.name, READING, dir_fd=place.folder)
    except OSError as error:
        # A link (ELOOP), a socket (ENXIO), or gone.
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOENT):
            return None
        raise
    try:
        return digest_of_open(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def move(source: Place, target: Place) -> None:
    """Move a file, to another file system too; raises `FileExistsError` rather than replace anything.

    A copy is on the disk before the source goes; one that fails halfway leaves nothing behind.
    """
    try:
        rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, target)
        os.unlink(source.name, dir_fd=source.folder)


def copy(source: Place, target: Place) -> None:
    """Copy a regular file; raises `FileExistsError` rather than replace anything, and leaves nothing half done."""
    reader = os.open(source.name, READING, dir_fd=source.folder)
    try:
        copy_open(reader, target)
    finally:
        os.close(reader)


def copy_open(reader: int, target: Place) -> None:
    """The same for a file that is open, whether or not it still has a name."""
    unfinished = Place(target.folder, f"{UNFINISHED_PREFIX}{secrets.token_hex(8)}")
    status = os.fstat(reader)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    writer = os.open(unfinished.name, flags, stat.S_IMODE(status.st_mode) & 0o666, dir_fd=target.folder)
    try:
        # The writer first, which is closed with it whatever the reader turns out to be.
        with open(writer, "wb") as writing, open(reader, "rb", closefd=False) as reading:  # noqa: PTH123 - descriptors
            reading.seek(0)
            shutil.copyfileobj(reading, writing)
            writing.flush()
            os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(writer)
        rename(unfinished, target)
    except OSError:
        with suppress(OSError):
            os.unlink(unfinished.name, dir_fd=unfinished.folder)
        raise
    try:
        flush_folder(target.folder)
    except OSError:
        with suppress(OSError):
            os.unlink(target.name, dir_fd=target.folder)
        raise


def rename(source: Place, target: Place) -> None:
    """Give a file another name on its file system; raises `FileExistsError` rather than replace anything."""
    try:
        _rename_at_once(source, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        try:
            os.link(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder, follow_symlinks=False)
        except OSError as refused:
            if refused.errno not in _UNSUPPORTED:
                raise
            _rename_onto_own(source, target)
        else:
            os.unlink(source.name, dir_fd=source.folder)


def give_back(source: Place, target: Place) -> None:
    """Give a file its old name back, or a similar one where another file has taken that meanwhile."""
    with suppress(FileExistsError):
        move(source, target)
        return
    stem, suffix = os.path.splitext(target.name)  # noqa: PTH122 - a name, no path
    # The name must stay below the 255 bytes that file systems allow.
    cut = os.fsdecode(os.fsencode(stem)[:200])
    move(source, Place(target.folder, f"{cut}-{secrets.token_hex(4)}{suffix}"))


def _rename_at_once(source: Place, target: Place) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    try:
        call = library.renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, "the C library has no renameat2") from None
    names = os.fsencode(source.name), os.fsencode(target.name)
    if call(source.folder, names[0], target.folder, names[1], _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), source.name, None, target.name)


def _rename_onto_own(source: Place, target: Place) -> None:
    """Take the name with an empty file first, so that no other program can, and replace that file by the source."""
    os.close(os.open(target.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target.folder))
    try:
        os.replace(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
    except OSError:
        os.unlink(target.name, dir_fd=target.folder)
        raise
