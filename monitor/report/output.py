"""Writes pictures and pages, and checks before minutes of drawing that they can be drawn and written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from monitor.configuration.extras import require_package
from monitor.errors import OutputError
from monitor.files.text import printable

if TYPE_CHECKING:
    from pathlib import Path

# The end of every message about a file that cannot be written.
REMEDY: Final = "give another place with --output"


def require_matplotlib(command: str) -> None:
    """Raise `ConfigurationError`, naming the command and the extra, where no picture can be drawn."""
    require_package("matplotlib", extra="report", needed_by=command)


def require_writable(path: Path) -> None:
    """Raise `OutputError` where a file plainly cannot be written; `write` may still fail, such as on a full disk."""
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


def write(path: Path, content: bytes) -> None:
    """Write a file; raises `OutputError` naming it when the system refuses."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(path)}: cannot be written: {error.strerror}; {REMEDY}")
