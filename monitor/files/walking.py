"""The paths of crops: as text that is safe to store and to show, told apart by name, found in folders."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import InputMissingError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CROP_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
"""The suffixes, in lower case, that make a file a crop; what it really is, its content decides."""


def is_crop_name(name: str) -> bool:
    """Tell whether a file name is a crop's: a suffix of `CROP_SUFFIXES` in any case, and not hidden.

    Names with a leading dot are those under which rsync and cameras write before they rename.
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and dot + suffix.lower() in CROP_SUFFIXES


def is_crop_path(path: str, folder: str) -> bool:
    """Tell whether `crop_files` of ``folder`` would come by ``path``: a crop's name in no hidden sub-folder."""
    below = path.removeprefix(folder.rstrip("/") + "/")
    return below != path and "/." not in f"/{below}" and is_crop_name(below.rpartition("/")[2])


def crop_paths(folder: Path, on_unreadable: Callable[[Path, OSError], None] | None = None) -> Iterator[Path]:
    """`crop_files` as `pathlib.Path`, which costs as much again; for who does more with a path than to open it."""
    return map(Path, crop_files(folder, on_unreadable))


def crop_files(folder: Path, on_unreadable: Callable[[Path, OSError], None] | None = None) -> Iterator[str]:
    """Walk a folder and its sub-folders and yield, as they come, the paths with a crop's name.

    Everything but folders is yielded, so that `CropReader.load` can refuse pipes and links with a reason.
    Hidden sub-folders (rsync's ``.~tmp~``) and links to folders are not entered. Memory grows with the
    sub-folders still to be visited, not with the files. The order is the file system's.

    ``on_unreadable`` is told of every sub-folder that cannot be read; without it, the walk ends there with
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
                continue  # removed since its name was read, which is nothing to report
            if not within or on_unreadable is None:
                raise unreadable_folder(Path(current), error) from error
            on_unreadable(Path(current), error)


def unreadable_folder(folder: Path, error: OSError) -> InputMissingError:
    """Return the error, with its sentence, for a folder that cannot be listed."""
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
