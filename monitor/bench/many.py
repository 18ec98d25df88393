"""Whether the memory of `monitor score` grows with the number of files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from monitor.bench import scoring
from monitor.bench.crops import FILES_IN_A_FOLDER
from monitor.bench.figures import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.harness.homes import Home

FEW: Final = 10_000
# On ext4 a file can have 65,000 names.
MOST_LINKS: Final = 60_000
# On the disk, with its row and its decision in the store, and the same again in the store's log.
BYTES_OF_A_NAME: Final = 1500


def memory(home: Home, paths: Sequence[Path], many: int) -> dict[str, Any]:
    """The peak memory for 10,000 files and for many, which are further names of a few files."""
    folders = {count: _named(paths, home.folder / f"names-{count}", count) for count in (FEW, many)}
    few, much = (scoring.score(home, folder, count) for count, folder in folders.items())
    return {
        "few_crops": FEW,
        "few_mb": rounded(few.peak_mb),
        "many_crops": many,
        "many_mb": rounded(much.peak_mb),
        "ratio": rounded(much.peak_mb / few.peak_mb),
        "many_crops_per_second": rounded(much.crops_per_second),
    }


def _named(paths: Sequence[Path], folder: Path, count: int) -> Path:
    """A folder with ``count`` names, in subfolders of a thousand each."""
    names = paths[: max(FILES_IN_A_FOLDER, -(-count // MOST_LINKS))]
    for number in range(count):
        part = folder / f"{number // FILES_IN_A_FOLDER:06d}"
        if number % FILES_IN_A_FOLDER == 0:
            part.mkdir(parents=True)
        path = names[number % len(names)]
        os.link(path, part / f"{path.stem}-{number}{path.suffix}")
    return folder
