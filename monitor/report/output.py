"""Writes what was drawn, and finds out beforehand that it can be written: drawing takes minutes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from monitor.errors import OutputError
from monitor.files.text import printable

if TYPE_CHECKING:
    from pathlib import Path

REMEDY = "give another place with --output"


def require_writable(path: Path) -> None:
    """Raise `OutputError` where a file plainly cannot be written: `write` may still fail, on a full disk say."""
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
        raise OutputError(f"{printable(path)}: may not be written; mend the permissions, or {REMEDY}")


def write(path: Path, content: bytes) -> None:
    """Write a file; raises `OutputError` naming it when the system refuses."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(path)}: cannot be written: {error.strerror}; {REMEDY}")
