"""Labelled crops, read and decoded into memory together."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.crops.reader import Reader
    from monitor.words import Identity


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadCrops:
    """Decoded crops, each uint8 (h, w, 3), with what their names say and their content's sha256.

    Refused files are left out, and named in ``refused``.
    """

    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def holes(self) -> list[int | None]:
        """The number of each crop's hole, none where its name does not say it."""
        return [identity.hole for identity in self.identities]

    def those(self, chosen: Iterable[bool]) -> ReadCrops:
        """The chosen ones; ``chosen`` has a truth value for each."""
        rows = [row for row, is_chosen in enumerate(chosen) if is_chosen]
        return ReadCrops(
            pixels=[self.pixels[row] for row in rows],
            identities=[self.identities[row] for row in rows],
            digests=[self.digests[row] for row in rows],
        )


def read_all(reader: Reader, paths: Sequence[Path], on_read: Callable[[], None] = lambda: None) -> ReadCrops:
    """Read crops; ``on_read`` is called after each. A refused one is warned of and left out."""
    crops = ReadCrops()
    for path in paths:
        read = reader.read([path])
        (pixels,) = read.pixels
        if pixels is not None:
            crops.pixels.append(pixels)
            crops.identities.extend(read.files.identities)
            crops.digests.extend(read.files.digests)
        else:
            log.warning("%s: %s; it is left out", printable(path), read.refusals[0])
            crops.refused.append((path, str(read.refusals[0])))
        on_read()
    return crops
