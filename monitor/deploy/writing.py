"""Writes files for other programs: each completely or not at all, and without losing a person's changes."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from monitor.errors import OutputError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

REMEDY = "correct the permissions or free some space, or give another folder with --output"


@dataclass(frozen=True)
class Written:
    """What happened to one file."""

    path: Path
    outcome: Literal["written", "replaced", "unchanged"]


def write_files(folder: Path, files: Mapping[str, str], *, force: bool) -> list[Written]:
    """Write texts below a folder, which is created if it is missing; ``files`` maps relative names to contents.

    If a file exists with different content, nothing at all is written, unless ``force``. Raises `OutputError`.
    """
    # Links are followed, so that a file that is kept elsewhere changes there.
    targets = {_followed(folder / name): content.encode(errors="surrogateescape") for name, content in files.items()}
    present = {path: _read(path) for path in targets}
    differing = [path for path, content in targets.items() if present[path] not in (None, content)]
    if differing and not force:
        names = ", ".join(printable(path) for path in differing)
        raise OutputError(
            f"{names}: exists with different content, and nothing was written; look at the differences, then overwrite "
            "with --force, or give another folder with --output"
        )
    return [_place(path, present[path], content) for path, content in targets.items()]


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{printable(path)}: is not a path that can be followed: {error}; {REMEDY}") from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error) from None


def _place(path: Path, before: bytes | None, content: bytes) -> Written:
    if before == content:
        return Written(path, "unchanged")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise _refused(path, error) from None
    return Written(path, "written" if before is None else "replaced")


def _replace(path: Path, content: bytes) -> None:
    """Replace a file by a complete new one in one step."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        # The program that reads it runs as another user.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(path)}: cannot be written: {error.strerror}; {REMEDY}")
