"""Batches of crops as they are read: a column for each thing that is known of the files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.files.text import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from monitor.errors import CropRefusedError
    from monitor.files.looks import Looks
    from monitor.words import Identity, Label, Source


@dataclass(frozen=True)
class CropFiles:
    """What is known of N files apart from their pixels, a column each.

    ``seen_at``: when the batch was begun, in UTC. ``source``: where the files were found. ``labels``: what the labelled
    folder says that a file lies in; None elsewhere. ``digests``: the sha256 of the contents, empty where a file could
    not be read. ``looks``: what the files looked like before they were read or refused; None where they could not be
    looked at. ``sizes``: (width, height) in pixels, None where a file was not decoded. ``ended``: whether a file
    carries its format's end mark; None where it was not decoded or is too small.
    """

    paths: Sequence[str]
    seen_at: datetime
    source: Source
    labels: Sequence[Label | None]
    identities: Sequence[Identity]
    digests: Sequence[str]
    looks: Sequence[Looks | None]
    sizes: Sequence[tuple[int, int] | None]
    ended: Sequence[bool | None]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Sequence[int]) -> CropFiles:
        """Some of the files, in this order."""
        return CropFiles(
            [self.paths[row] for row in rows],
            self.seen_at,
            self.source,
            [self.labels[row] for row in rows],
            [self.identities[row] for row in rows],
            [self.digests[row] for row in rows],
            [self.looks[row] for row in rows],
            [self.sizes[row] for row in rows],
            [self.ended[row] for row in rows],
        )

    @cached_property
    def texts(self) -> list[str]:
        """The paths as text that can be stored."""
        return [to_text(path) for path in self.paths]

    @cached_property
    def keys(self) -> list[tuple[str, str]]:
        """(path as text, sha256) of each file: what names a crop in the store."""
        return list(zip(self.texts, self.digests, strict=True))


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """N files, each with its pixels or with the reason why it has none.

    ``pixels``: uint8 (height, width, 3), RGB. ``refusals``: by row. Raises `ValueError` for a file with neither or
    with both: nothing may be lost on the way to a decision.
    """

    files: CropFiles
    pixels: Sequence[NDArray[np.uint8] | None]
    refusals: Mapping[int, CropRefusedError]

    def __post_init__(self) -> None:
        for row, pixels in enumerate(self.pixels):
            if (pixels is None) != (row in self.refusals):
                raise ValueError(f"{self.files.paths[row]!r}: read with neither pixels nor a refusal, or with both")

    @property
    def readable(self) -> list[int]:
        """The rows that have pixels."""
        return [row for row in range(len(self.pixels)) if row not in self.refusals]
