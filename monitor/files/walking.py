"""Finds the crops in a folder and its sub-folders, by their names."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import InputMissingError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The suffixes, in lower case, of files that are read as crops; their content decides what they really are.
CROP_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


def is_crop_name(name: str) -> bool:
    """Whether a file name is that of a crop: it has one of `CROP_SUFFIXES`, in any case, and is not hidden.

    rsync and cameras write files under names with a leading dot and then rename them.
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and dot + suffix.lower() in CROP_SUFFIXES


def is_crop_path(path: str, folder: str) -> bool:
    """Whether `crop_files` of ``folder`` would yield ``path``: it has a crop's name, below no hidden folder."""
    below = path.removeprefix(folder.rstrip("/") + "/")
    return below != path and "/." not in f"/{below}" and is_crop_name(below.rpartition("/")[2])


def crop_paths(folder: Path, on_unreadable: Callable[[Path, OSError], None] | None = None) -> Iterator[Path]:
    """`crop_files` as `pathlib.Path`, which takes twice as long; for callers that do more than open the files."""
    return map(Path, crop_files(folder, on_unreadable))


def crop_files(folder: Path, on_unreadable: Callable[[Path, OSError], None] | None = None) -> Iterator[str]:
    """Walk a folder and its sub-folders and yield the paths with a crop's name as they are found.

    Everything but folders is yielded, so that `CropReader.load` can refuse pipes and links with a reason.
    Hidden sub-folders (rsync's ``.~tmp~``) and links to folders are not entered. Memory grows with the
    sub-folders still to be visited, not with the files. The order is the file system's.

    ``on_unreadable`` is called for every sub-folder that cannot be read; without it, the walk ends there with
    `InputMissingError`. Raises `InputMissingError` at once when ``folder`` itself cannot be read.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise unreadable_folder(folder, error) from error
    return _walk(folder, on_unreadable)


def _walk(folder: Path, on_unreadable: Callable[[Path, OSError], None] | None) -> Iterator[str]:
    waiting = [os.fspath(folder)]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            waiting.append(entry.path)
                    elif is_crop_name(entry.name):
                        yield entry.path
        except OSError as error:
            within = current != os.fspath(folder)
            if within and isinstance(error, FileNotFoundError | NotADirectoryError):
                continue  # removed since its name was read, so there is nothing to report
            if not within or on_unreadable is None:
                raise unreadable_folder(Path(current), error) from error
            on_unreadable(Path(current), error)


def unreadable_folder(folder: Path, error: OSError) -> InputMissingError:
    """The error for a folder that cannot be listed, with a sentence that says what to do."""
    name = printable(folder)
    match error.errno:
        case errno.ENOENT:
            return InputMissingError(f"{name}: there is no such folder; check the path")
        case errno.ENOTDIR:
            return InputMissingError(f"{name}: this is not a folder; name the folder that holds the crops")
        case errno.EACCES | errno.EPERM:
            return InputMissingError(
                f"{name}: this folder may not be read; give the user who runs this program read permission"
            )
    return InputMissingError(f"{name}: this folder cannot be read: {error.strerror}")
