"""Moves files that could not be scored out of the inbox, without following any link that is put in their place.

Anyone who may write into the inbox chooses the names there, and may replace a file by a link at any moment. So each
file gets a new folder that the program itself creates, and nothing that was moved earlier lies on the way to it.
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
    """Move ``path`` to ``folder/DIGEST/NAME``, where DIGEST is the first 16 digits of its sha256.

    ``sha256`` and ``looks``: those of the file when it was read. Returns where it lies now. Returns None when the file
    has changed since: it is left for the watcher to find again. Raises `OutputError` when it cannot be moved; it stays
    where it is.
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
    """Move the file if it has this content; a file that has come under its name meanwhile goes back to the inbox."""
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
            target.parent.rmdir()  # which fails where the file lies in it
