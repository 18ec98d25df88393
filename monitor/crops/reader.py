"""A path becomes a crop with its identity and pixels, or with a refusal."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.api import SMALLEST_CROP
from monitor.crops.identity import IdentityPattern
from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError
from monitor.scoring.work import Work

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.words import Label


class Reader:
    """The first stage: a path -> bytes, digest, identity, pixels."""

    def __init__(self, configuration: Configuration) -> None:
        """Read with the limits and the name pattern of the configuration."""
        settings = configuration.settings.crops
        self.crops = CropReader(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        self.pattern = IdentityPattern(settings.name_pattern, settings.time_format, configuration.time_zone)

    def read(self, path: str | Path, *, label: Label | None = None) -> Work:
        """Read and decode one crop, seen now; a refusal is kept in the work, never raised."""
        name = os.fspath(path)
        work = Work(name, datetime.now(UTC), self.pattern.parse(name.rpartition("/")[2]), label=label)
        try:
            content = self.crops.load(name)
            # The bytes are not needed any more, and a batch of large files would fill the memory.
            work.content = FileContent(b"", *content[1:])
            decoded = self.crops.decode(content)
        except CropRefusedError as refusal:
            work.refusal = refusal
            return work
        work.size = size = decoded.width, decoded.height
        if min(size) < SMALLEST_CROP:
            work.refusal = _too_small(size)
        else:
            work.decoded, work.ended = decoded, decoded.ended
        return work


def _too_small(size: tuple[int, int]) -> CropRefusedError:
    sentence = f"{size[0]}x{size[1]} pixels are too few to judge; a side needs at least {SMALLEST_CROP}"
    return CropRefusedError("too_small", sentence)
