"""Writes files that a person names: whole or not at all, and only in the place of one of the same kind.

A database, a configuration, a model or a crop is thus never overwritten by a mistyped name.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from monitor.errors import OutputError
from monitor.files.ownership import give_same_owner
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# How much of a file that is there is looked at.
BEGINNING: Final = 4096
# What pictures say of the program that made them, each format in its own way.
MADE_BY: Final = "monitor"


def require_replaceable(path: Path, is_same_kind: Callable[[bytes], bool], kind: str) -> None:
    """Raise `OutputError` if something else than a file of the same kind is at this place.

    ``is_same_kind`` tells by the first `BEGINNING` bytes of a file; ``kind``: what messages call such a file. Devices
    and pipes, such as /dev/stdout, are written to whatever they are.
    """
    try:
        if not path.is_file() or not path.stat().st_size:
            return
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except OSError as error:
        raise _refused(path, error) from None
    if not is_same_kind(beginning):
        raise OutputError(
            f"{printable(path)}: exists and is not {kind}, so it is not overwritten; give another name with --output, "
            "or remove the file first"
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step, so that neither a full disk nor a kill leaves half of it; raises `OutputError`.

    A link is followed, and a file that is replaced keeps its permissions.
    """
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe; a folder is refused by the system
            return
        _replace(path, content)
    except (OSError, RuntimeError) as error:  # links in a circle are the latter
        raise _refused(path, error) from None


def write_private(path: Path, content: bytes) -> None:
    """The same for a file that its owner alone may read. Raises `OutputError`.

    Where root writes it, its owner is that of the file that it replaces, or else of the folder.
    """
    try:
        path = path.resolve()
        _replace(path, content, mode=0o600, like=path if path.exists() else path.parent)
    except (OSError, RuntimeError) as error:
        raise _refused(path, error, "give another place, or write it as the user who owns the folder") from None


def _replace(path: Path, content: bytes, *, mode: int | None = None, like: Path | None = None) -> None:
    if mode is None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    part = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}")
    # With the permissions that new files get here, unless the file has its own.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            if like is not None:
                give_same_owner(descriptor, like)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _refused(
    path: Path, error: OSError | RuntimeError, remedy: str = "give another place with --output"
) -> OutputError:
    reason = (isinstance(error, OSError) and error.strerror) or error
    return OutputError(f"{printable(path)}: cannot be written: {reason}; {remedy}")
