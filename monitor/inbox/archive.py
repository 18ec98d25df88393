"""Where decided crops are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo


MOST_NAMES: Final = 1000
LONGEST_NAME_BYTES: Final = 255


class Archive:
    """Where decided files are moved to: ``folder/YYYY-MM-DD/VERDICT/NAME``, the day by the plant's clock."""

    def __init__(self, folder: Path, time_zone: ZoneInfo) -> None:
        self.folder = folder
        self._time_zone = time_zone

    def place(self, seen_at: datetime, verdict: str, name: str) -> Path:
        """Where a file goes, if no other has that name."""
        return self.folder / f"{seen_at.astimezone(self._time_zone):%Y-%m-%d}" / verdict / name

    def names(self, place: Path, sha256: str) -> Iterator[Path]:
        """The place, and those that are taken instead while there is another file: with the digest's first digits."""
        yield place
        for number in range(1, MOST_NAMES):
            ending = f"-{sha256[:12]}{'' if number == 1 else f'-{number}'}{place.suffix}"
            stem = os.fsencode(place.stem)[: LONGEST_NAME_BYTES - len(os.fsencode(ending))]
            yield place.with_name(os.fsdecode(stem) + ending)

    def holds(self, place: Path) -> bool:
        """Whether this is a place of the archive, which may have been another folder when a crop was decided."""
        return place.is_relative_to(self.folder) and len(place.relative_to(self.folder).parts) == 3
