"""Reads the pictures of labelled crops again: from their own files, or archived or labelled ones of their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.text import from_text
from monitor.store import labelled_files
from monitor.store.crops import archived_places
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.crops.reader import Reader
    from monitor.errors import CropRefusedError
    from monitor.files.looks import Looks
    from monitor.labels.labels import LabelledCrop

# With these the file is not the crop's any more, even where nothing could be read of it.
LOST: Final = frozenset({Reason.VANISHED, Reason.EMPTY, Reason.SYMLINK, Reason.NOT_A_FILE})


class Picture(NamedTuple):
    """A labelled crop's picture, uint8 (h, w, 3), and the looks of the file that it was read from."""

    pixels: NDArray[np.uint8]
    looks: Looks | None


def places_of(connection: Connection, crops: Sequence[LabelledCrop]) -> dict[str, list[str]]:
    """By content, the paths where it may lie: the crop's own first, then in the archive."""
    places = {crop.sha256: [crop.path] for crop in crops}
    for sha256, archived in archived_places(connection, places.keys()).items():
        places[sha256] += archived
    for row in labelled_files.files_of_contents(connection, places.keys()):
        places[row.sha256].append(row.path)
    return places


def read_again(reader: Reader, crop: LabelledCrop, places: Iterable[str]) -> Picture | CropRefusedError | None:
    """The crop's picture, from the first place that still has its content; None where none has.

    A refusal: of a file that has the content, or may have it.
    """
    refused = None
    for place in places:
        read = reader.read([from_text(place)])
        digest = read.files.digests[0]
        if digest and digest != crop.sha256:
            continue
        (pixels,) = read.pixels
        if pixels is not None:
            return Picture(pixels, read.files.looks[0])
        if read.refusals[0].reason not in LOST:
            refused = read.refusals[0]
    return refused
