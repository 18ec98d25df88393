"""Moves files that could not be scored out of the inbox, without ever following what a name leads to.

Whoever may write into the inbox chooses the names, and may exchange a file for a link at any moment. So every file
gets a new folder of its own, which nobody else has made; a name is never looked up through what was moved before.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from monitor.errors import OutputError
from monitor.files.folders import make_folder
from monitor.files.looks import Looks
from monitor.files.moving import Place, digest, give_back, move, opened_folder
from monitor.files.text import printable

if TYPE_CHECKING:
    from pathlib import Path


def quarantine(path: Path, sha256: str, looks: Looks, folder: Path) -> Path | None:
    """Move ``path`` to ``folder/DIGEST/NAME``, DIGEST being the first digits of its sha256.

    Returns where it lies now, or None when the file is no longer the one that was read, with this content and these
    ``looks``: then it is left for the watcher to look at again. Raises `OutputError` when it cannot be moved; it stays where it is.
    """
    make_folder(folder)
    try:
        if Looks.of(os.lstat(path)) != looks:
            return None
        target = _new_folder(folder, sha256[:16]) / path.name
        if not _move(path, target, sha256):
            return None
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


def _move(source: Path, target: Path, sha256: str) -> bool:
    """Move the file with this content; what came under its name since it was looked at goes back to the inbox."""
    try:
        with opened_folder(source.parent) as before, opened_folder(target.parent) as after:
            here, there = Place(before, source.name), Place(after, target.name)
            move(here, there)
            if digest(there) == sha256:
                return True
            give_back(there, here)
            return False
    finally:
        with suppress(OSError):
            target.parent.rmdir()  # which is empty unless the file lies in it
