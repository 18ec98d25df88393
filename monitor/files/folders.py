"""Folders that the program makes for itself."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from monitor.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder with its parents; raises `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        service = "; make it, or where a service has to write there, write its unit anew: monitor deploy systemd"
        remedy = service if error.errno == errno.EROFS else ""
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror}{remedy}") from None
