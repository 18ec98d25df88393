"""Writes pictures and pages, and checks before minutes of drawing that they can be drawn and written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from monitor.configuration.extras import require_package
from monitor.errors import OutputError
from monitor.files.replacing import MADE_BY, require_replaceable
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The end of every message about a file that cannot be written.
REMEDY: Final = "give another place with --output"


def require_matplotlib(command: str) -> None:
    """Raise `ConfigurationError`, naming the command and the extra, where no picture can be drawn."""
    require_package("matplotlib", extra="report", needed_by=command)


# How a page of the report and a picture begin, by which an earlier one is known again.
_PAGE: Final = (b"<!DOCTYPE html>", b"default-src 'none'; img-src data:")
_PICTURE: Final = (f"Software\0{MADE_BY}".encode(), f"<dc:title>{MADE_BY}</dc:title>".encode())


def is_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a page of `monitor report`."""
    return beginning.startswith(_PAGE[0]) and _PAGE[1] in beginning


def is_picture(beginning: bytes) -> bool:
    """Whether a file that begins so is a picture that this program made."""
    return any(mark in beginning for mark in _PICTURE)


def require_writable(path: Path, is_same_kind: Callable[[bytes], bool], kind: str) -> None:
    """Raise `OutputError` where a file plainly cannot be written, or one of another kind is in its place.

    `write_whole` may still fail, such as on a full disk. ``is_same_kind``, ``kind``: as for `require_replaceable`.
    """
    try:
        if path.is_dir():
            raise OutputError(f"{printable(path)}: is a folder; give the name of a file with --output")
        folder = path.parent
        if not folder.is_dir():
            raise OutputError(f"{printable(folder)}: there is no such folder; make it, or {REMEDY}")
        may_be_written = os.access(path if path.exists() else folder, os.W_OK)
    except OSError as error:
        raise _refused(path, error) from None
    if not may_be_written:
        raise OutputError(f"{printable(path)}: may not be written; change the permissions, or {REMEDY}")
    require_replaceable(path, is_same_kind, kind)


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(path)}: cannot be written: {error.strerror}; {REMEDY}")
