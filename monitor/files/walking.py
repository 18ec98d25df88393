"""Finds the crops in a folder and its sub-folders, by their names."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import InputMissingError
from monitor.files.ignoring import NOTHING
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.files.ignoring import IgnoredNames

# The suffixes, in lower case, of files that are read as crops; their content decides what they really are.
CROP_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# Of Linux: PATH_MAX without its zero byte, and NAME_MAX.
LONGEST_PATH_BYTES: Final = 4095
LONGEST_NAME_BYTES: Final = 255
TOO_LONG: Final = f"paths in this folder are longer than the {LONGEST_PATH_BYTES:,} bytes that the system allows"


def is_crop_name(name: str) -> bool:
    """Whether a file name is that of a crop: it has one of `CROP_SUFFIXES`, in any case, and is not hidden.

    rsync and cameras write files under names with a leading dot and then rename them.
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and dot + suffix.lower() in CROP_SUFFIXES


def is_crop_path(path: str, folder: str, ignored: IgnoredNames = NOTHING) -> bool:
    """Whether `crop_files` of ``folder`` would yield ``path``: it has a crop's name, and is not left out."""
    below = path.removeprefix(folder.rstrip("/") + "/")
    if below == path or "/." in f"/{below}":
        return False
    *folders, name = below.split("/")
    return is_crop_name(name) and not any(one in ignored for one in (*folders, name))


def crop_paths(
    folder: Path,
    on_unreadable: Callable[[Path, OSError], None] | None = None,
    ignored: IgnoredNames = NOTHING,
) -> Iterator[Path]:
    """`crop_files` as `pathlib.Path`, which takes twice as long; for callers that do more than open the files."""
    return map(Path, crop_files(folder, on_unreadable, ignored))


def crop_files(
    folder: Path,
    on_unreadable: Callable[[Path, OSError], None] | None = None,
    ignored: IgnoredNames = NOTHING,
) -> Iterator[str]:
    """Walk a folder and its sub-folders and yield the paths with a crop's name as they are found.

    Everything but folders is yielded, so that `CropReader.load` can refuse pipes and links with a reason.
    Hidden sub-folders (rsync's ``.~tmp~``), links to folders and what is ``ignored`` are not entered. Memory grows with
    the sub-folders still to be visited, not with the files. The order is the file system's.

    ``on_unreadable`` is called for every sub-folder that cannot be read, and for every path that is too long for the
    system; without it, the walk ends there with `InputMissingError`. Raises `InputMissingError` at once when ``folder``
    itself cannot be read.
    """
    entries = (entry for entry in _walk(folder, on_unreadable, ignored) if is_crop_name(entry.name))
    return (entry.path for entry in entries if entry.name not in ignored)


def files_below(
    folder: Path, on_unreadable: Callable[[Path, OSError], None], ignored: IgnoredNames = NOTHING
) -> Iterator[str]:
    """Walk in the same folders as `crop_files`, and yield every path in them that is no folder."""
    return (entry.path for entry in _walk(folder, on_unreadable, ignored))


def _walk(
    folder: Path, on_unreadable: Callable[[Path, OSError], None] | None, ignored: IgnoredNames
) -> Iterator[os.DirEntry[str]]:
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise unreadable_folder(folder, error) from error
    return _entries(os.fspath(folder), on_unreadable, ignored)


def _entries(
    folder: str, on_unreadable: Callable[[Path, OSError], None] | None, ignored: IgnoredNames
) -> Iterator[os.DirEntry[str]]:
    # A stack and no recursion: sub-folders may be nested thousands deep.
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        room = LONGEST_PATH_BYTES - len(os.fsencode(current)) - 1
        error: OSError | None = None
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if room < LONGEST_NAME_BYTES and len(os.fsencode(entry.name)) > room:
                        error = OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
                    elif not may_be_folder(entry):
                        yield entry
                    elif not entry.name.startswith(".") and entry.name not in ignored:
                        waiting.append(entry.path)
        except OSError as refused:
            error = refused
        within = current != folder
        if error is None or (within and isinstance(error, FileNotFoundError | NotADirectoryError)):
            continue  # an error of this kind: removed since its name was read, so there is nothing to report
        if on_unreadable is None or (not within and error.errno != errno.ENAMETOOLONG):
            raise unreadable_folder(Path(current), error) from error
        on_unreadable(Path(current), error)


def may_be_folder(entry: os.DirEntry[str]) -> bool:
    """Whether to look into it; where the system cannot say what it is, its name decides.

    A share may not tell with the names which are folders, and then fail for a single one. Reading it says why.
    """
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return not is_crop_name(entry.name)


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
        case errno.ENAMETOOLONG:
            return InputMissingError(f"{name}: {TOO_LONG}; move what lies in it further up")
    return InputMissingError(f"{name}: this folder cannot be read: {error.strerror}")
