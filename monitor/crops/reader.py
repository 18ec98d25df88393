"""Reads files: paths become crops with their identity and pixels, or with a refusal."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from monitor.api import SMALLEST_CROP
from monitor.crops.batch import CropFiles, ReadBatch
from monitor.crops.identity import IdentityPattern
from monitor.crops.loader import CropReader
from monitor.crops.refusals import lacks_memory
from monitor.errors import CropRefusedError
from monitor.files.looks import look

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.configuration.resolved import Configuration
    from monitor.files.looks import Looks
    from monitor.words import Label, Source


class Steps(Protocol):
    """Notes where the reading of a batch is, so that another thread or process can see what takes long."""

    def naming(self, count: int) -> None:
        """The names of so many files are parsed."""

    def reading(self, row: int) -> None:
        """The file in this row is opened and read."""

    def decoding(self) -> None:
        """That file's content is decoded."""


class _Unnoted:
    """For reading that is not watched."""

    def naming(self, count: int) -> None:
        pass

    def reading(self, row: int) -> None:
        pass

    def decoding(self) -> None:
        pass


class Reader:
    """Reads and decodes files, and parses their names."""

    def __init__(self, configuration: Configuration, root: Path | None = None) -> None:
        """Read with the limits and the name pattern of the configuration.

        No link is followed below the watched folders, nor below ``root``, whose own links are followed already.
        """
        settings = configuration.settings.crops
        folders = (configuration.inbox, configuration.labelled, root)
        # Where one lies in another, the outer one holds.
        roots = sorted((os.fspath(folder) for folder in folders if folder is not None), key=len)
        self.crops = CropReader(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, roots=roots)
        self.pattern = IdentityPattern(settings.name_pattern, settings.time_format, configuration.time_zone)

    def read(
        self,
        paths: Sequence[str | Path],
        *,
        labels: Sequence[Label | None] | None = None,
        source: Source = "inbox",
        most_pixels: int | None = None,
        steps: Steps | None = None,
    ) -> ReadBatch:
        """Read and decode files, seen now; a refusal is kept in the batch, never raised.

        ``labels``: one for each path. With ``most_pixels``, reading ends behind the file that reaches this sum of
        pixels, or before one that there is no memory for, and the batch holds the first files alone. ``steps`` is told
        of each step.
        """
        names = [os.fspath(path) for path in paths]
        found: list[_ReadFile] = []
        total = 0
        seen_at = datetime.now(UTC)
        steps = steps or _Unnoted()
        steps.naming(len(names))
        identities = [self.pattern.parse(name.rpartition("/")[2]) for name in names]
        for row, name in enumerate(names):
            steps.reading(row)
            read = self._read_one(name, steps)
            if lacks_memory(read.refusal) and found and most_pixels is not None:
                # The crops before it may have taken what it lacks; it comes first in the next batch.
                break
            found.append(read)
            width, height = found[-1].size or (0, 0)
            total += width * height
            if most_pixels is not None and total >= most_pixels:
                break
        digests, looks, sizes, ended, pixels, refused = zip(*found, strict=True) if found else ((),) * 6
        count = len(found)
        given = [None] * count if labels is None else labels[:count]
        return ReadBatch(
            CropFiles(names[:count], seen_at, source, given, identities[:count], digests, looks, sizes, ended),
            pixels,
            {row: refusal for row, refusal in enumerate(refused) if refusal is not None},
        )

    def _read_one(self, name: str, steps: Steps) -> _ReadFile:
        digest, looks = "", None
        try:
            try:
                content = self.crops.load(name)
            except CropRefusedError:
                # Another file may take its place at any moment, and must not be taken for the one that is refused. So
                # it is looked at first, and refused for what it is after that.
                looks = looks_now(name)
                content = self.crops.load(name)
            digest, looks = content.sha256, content.looks
            steps.decoding()
            decoded = self.crops.decode(content)
        except CropRefusedError as refusal:
            return _ReadFile(digest, looks, None, None, None, refusal)
        size = decoded.width, decoded.height
        if min(size) < SMALLEST_CROP:
            return _ReadFile(digest, looks, size, None, None, _too_small(size))
        return _ReadFile(digest, looks, size, decoded.ended, decoded.pixels, None)


def looks_now(path: str) -> Looks | None:
    """What a file looks like that is about to be read; None where it cannot be looked at."""
    looks = look(path)
    return None if looks is None else looks.as_read(time.time_ns())


class _ReadFile(NamedTuple):
    """A row of a `ReadBatch`."""

    digest: str
    looks: Looks | None
    size: tuple[int, int] | None
    ended: bool | None
    pixels: NDArray[np.uint8] | None
    refusal: CropRefusedError | None


def _too_small(size: tuple[int, int]) -> CropRefusedError:
    sentence = f"{size[0]}x{size[1]} pixels are too few to judge; a side needs at least {SMALLEST_CROP}"
    return CropRefusedError("too_small", sentence)
