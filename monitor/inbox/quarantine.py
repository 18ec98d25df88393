"""Moves files that could not be scored out of the inbox, without following any link that is put in their place.

Anyone who may write into the inbox chooses the names there, and may replace a file or a folder by a link at any moment.
So every folder on the way is opened without following links, each file gets a new folder that the program itself
creates, and nothing that was moved earlier lies on the way to it.

A file that was given up may still be open in the program that writes it: `monitor.inbox.second_looks` sees to that.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from monitor.errors import OutputError
from monitor.files import moving
from monitor.files.folders import make_folder
from monitor.files.looks import Looks
from monitor.files.moving import Place, opened_folder, status_of
from monitor.files.opening import READING
from monitor.files.text import printable
from monitor.inbox.second_looks import ON_THE_WAY, Quarantined

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.inbox.second_looks import SecondLooks

# How many bytes of its own name a file keeps while it is copied to another file system: file systems allow 255.
LONGEST_NAME_BYTES: Final = 230

# So many folders of the same content are numbered in their order.
NAMES_IN_ORDER: Final = 10


class Quarantine:
    """The folder of failed files: each is ``folder/DIGEST/NAME``, by the first 16 digits of its sha256."""

    def __init__(self, second_looks: SecondLooks) -> None:
        """``second_looks``: told of every file that is moved to their folder."""
        self._inbox = second_looks.inbox
        self._folder = second_looks.folder
        self._second_looks = second_looks

    def take(self, path: Path, sha256: str, looks: Looks) -> Path | None:
        """Move a file of the inbox; returns where it lies now.

        ``sha256`` and ``looks``: those of the file when it was read. Returns None when the file has changed since: it
        is left for the watcher to find again. Raises `OutputError` when it cannot be moved; it stays where it is.
        """
        make_folder(self._folder)
        try:
            with opened_folder(self._inbox, path.relative_to(self._inbox).parts[:-1]) as before:
                here = Place(before, path.name)
                status = status_of(here)
                # Its content is compared once it is moved.
                if status is None or Looks.of(status)[:2] != looks[:2]:
                    return None
                quarantined = self._move(path, here, self._new_folder(sha256[:16]) / path.name, sha256)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"{printable(path)}: cannot be moved to {printable(self._folder)}: {error.strerror or error}"
            ) from None
        if quarantined is None:
            return None
        self._second_looks.watch(quarantined)
        return quarantined.place

    def _new_folder(self, name: str) -> Path:
        number = 1
        while True:
            new = self._folder / (name if number == 1 else f"{name}-{number}")
            try:
                new.mkdir()
            except FileExistsError:
                # A camera may write one and the same content thousands of times, and a share takes its time for each.
                number = number + 1 if number < NAMES_IN_ORDER else NAMES_IN_ORDER + secrets.randbelow(10**9)
            else:
                return new

    def _move(self, path: Path, here: Place, target: Path, sha256: str) -> Quarantined | None:
        """Move the file if it has this content; another one that has come under its name stays in the inbox."""
        try:
            with opened_folder(target.parent) as after:
                there = Place(after, target.name)
                try:
                    moving.rename(here, there)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    with self._second_looks.leaving_alone(path.with_name(hidden_name(path.name))):
                        return _copied(path, here, there, target, sha256)
                try:
                    # Before the content is compared, so that what is written meanwhile shows.
                    status = status_of(there)
                    if status is not None and moving.digest(there) == sha256:
                        return Quarantined(path, target, sha256, Looks.of(status))
                except OSError:
                    with suppress(FileNotFoundError):
                        moving.give_back(there, here)
                    raise
                moving.give_back(there, here)
                return None
        finally:
            with suppress(OSError):
                target.parent.rmdir()  # which fails where the file lies in it


def _copied(path: Path, here: Place, there: Place, target: Path, sha256: str) -> Quarantined | None:
    """The same to another file system. A program that has the file open then writes to what is deleted here."""
    on_the_way = Place(here.folder, hidden_name(here.name))
    moving.rename(here, on_the_way)
    source, is_copied = -1, False
    try:
        source = os.open(on_the_way.name, READING, dir_fd=here.folder)
        looks = Looks.of(os.fstat(source))
        moving.copy_open(source, there)
        is_copied = True
        if moving.digest(there) != sha256:
            os.unlink(there.name, dir_fd=there.folder)
            moving.give_back(on_the_way, here)
            return None
        os.unlink(on_the_way.name, dir_fd=here.folder)
        quarantined = Quarantined(path, target, sha256, looks, source)
        source = -1
    except OSError:
        with suppress(FileNotFoundError):
            moving.give_back(on_the_way, here)
            # Not before: where the original is gone after all, the copy is all there is.
            if is_copied:
                with suppress(OSError):
                    os.unlink(there.name, dir_fd=there.folder)
        raise
    finally:
        if source >= 0:
            os.close(source)
    return quarantined


def hidden_name(name: str) -> str:
    """What a file is called while it is copied to another file system."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, no path
    room = LONGEST_NAME_BYTES - len(os.fsencode(suffix))
    return f".{os.fsdecode(os.fsencode(stem)[:room])}{suffix}{ON_THE_WAY}"
