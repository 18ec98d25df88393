"""Moves files that could not be scored out of the inbox, never over another file and never through a link."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from monitor.crops import printable
from monitor.errors import OutputError
from monitor.store.engine import make_folder


def quarantine(path: Path, inbox: Path, folder: Path) -> Path:
    """Move ``path`` below ``folder``, keeping its place below ``inbox``; return where it lies now.

    Where the name is taken, it goes into a numbered sub-folder. Raises `OutputError` when the file cannot be moved.
    """
    relative = path.relative_to(inbox) if path.is_relative_to(inbox) else Path(path.name)
    target = folder / relative
    number = 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"again-{number}" / relative
    make_folder(target.parent)
    try:
        shutil.move(path, target)
    except OSError as error:
        raise OutputError(
            f"{printable(path)}: cannot be moved to {printable(target)}: {error.strerror or error}"
        ) from None
    return target
