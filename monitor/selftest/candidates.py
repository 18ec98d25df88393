"""Finds crops of which it is known what they show: named by a person, labelled, decided on, or made up.

The better something is known, the earlier it comes; made-up crops are for an installation that has nothing else yet.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.dataset import open_dataset
from monitor.crops.loader import FileContent
from monitor.errors import CropRefusedError, InputMissingError, MonitorError
from monitor.files.ignoring import IgnoredNames
from monitor.files.looks import Looks
from monitor.files.text import from_text, printable
from monitor.keeping.places import places_of, recent_folder
from monitor.labels import labels
from monitor.selftest import made_up
from monitor.store import kept, selftests
from monitor.store.kept import Owed
from monitor.store.references import calibrated_on, references_of
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.configuration.resolved import Configuration
    from monitor.crops.reader import Reader
    from monitor.store.database.engine import Database

# So many crops of each kind are tried.
MOST: Final = 16
# Metal is made up on so many pictures.
MADE_UP_ON: Final = 4
# So many files of a labelled folder are read at most to find references.
MOST_READ: Final = 5000


class Candidate(NamedTuple):
    """A crop whose label is known; ``content``: its file. ``pixels``: uint8 (h, w, 3). ``said``: where it is from."""

    content: bytes
    pixels: NDArray[np.uint8]
    said: str


def named(reader: Reader, path: Path, key: str) -> Candidate:
    """The crop that the configuration names by this key; raises `InputMissingError` if it cannot be read."""
    try:
        content = reader.crops.load(path)
        return _candidate(reader, content.data, f"named by {key}")
    except CropRefusedError as refusal:
        raise InputMissingError(
            f"{printable(path)}: the crop that {key} names cannot be used: {refusal}; name another one, or none"
        ) from None


def known(configuration: Configuration, database: Database, reader: Reader, label: Label) -> Iterator[list[Candidate]]:
    """Stored crops that are labelled so, then those that were decided so; the newest ones of each, a list for each."""
    with database.read() as connection:
        found = labels.read(connection).agreed()
        decided = selftests.decided_crops(connection, label.value, MOST)
        labelled = [crop for crop in found if crop.label is label][-MOST:][::-1]
        opposed = {crop.sha256 for crop in found if crop.label is not label}
        groups = [
            [(crop.id, crop.path, crop.sha256, f"labelled {label.value}") for crop in labelled],
            [(*crop, f"decided {label.value}") for crop in decided if crop.sha256 not in opposed],
        ]
        now = datetime.now(UTC)
        asked = [Owed(number, path, sha256, 0, "inbox", now) for some in groups for number, path, sha256, _ in some]
        places = places_of(connection, asked, recent_folder(configuration))
    for some in groups:
        read = [
            _content(database, reader, sha256, places[number], f"crop {number}, {said}")
            for number, _, sha256, said in some
        ]
        yield [one for one in read if one is not None]


def references(
    configuration: Configuration, database: Database, reader: Reader, model_id: int, label: Label
) -> list[Candidate]:
    """Crops of the labelled folder that the model's threshold was last chosen from by hand, if it is still there."""
    with database.read() as connection:
        folder = calibrated_on(connection, model_id)
        digests = {row.sha256 for row in references_of(connection, model_id) if row.label == label.value}
    if folder is None:
        return []
    try:
        dataset = open_dataset(from_text(folder), IgnoredNames(configuration.settings.crops.ignore))
    except MonitorError:
        return []  # it need not be on this machine
    found: list[Candidate] = []
    for path in (dataset.proliv if label is Label.PROLIV else dataset.train)[:MOST_READ]:
        content = _loaded(reader, path)
        if content is not None and content.sha256 in digests:
            with suppress(CropRefusedError):
                found.append(_candidate(reader, content.data, f"{printable(path)}, a reference for the threshold"))
        if len(found) == MOST:
            break
    return found


def invented(label: Label, normal: Iterable[Candidate]) -> list[Candidate]:
    """Made-up crops; ``normal``: crops without a proliv, on which metal is made up."""
    holes = [Candidate(made_up.png(one), one, "a made-up hole") for one in made_up.holes()]
    if label is Label.NE_PROLIV:
        return holes
    ground = [*list(normal)[:MADE_UP_ON], *holes[:: len(holes) // MADE_UP_ON]]
    return [
        Candidate(made_up.png(picture), picture, f"metal made up on {one.said}")
        for one in ground
        for picture in made_up.bleed_outs(one.pixels)
    ]


def _content(database: Database, reader: Reader, sha256: str, places: Iterable[Path], said: str) -> Candidate | None:
    """A stored crop's file: the content that is kept, or a file that still has it; None where there is none."""
    with database.read() as connection:
        content = kept.content(connection, sha256)
    try:
        for place in () if content is not None else places:
            found = _loaded(reader, place)
            if found is not None and found.sha256 == sha256:
                content = found.data
                break
        return None if content is None else _candidate(reader, content, said)
    except CropRefusedError:
        return None


def _loaded(reader: Reader, place: Path) -> FileContent | None:
    try:
        return reader.crops.load(place)
    except CropRefusedError:
        return None


def _candidate(reader: Reader, data: bytes, said: str) -> Candidate:
    """One of a file's content; what has no end mark becomes a PNG file, which is taken without waiting."""
    decoded = reader.crops.decode(FileContent(data, "", Looks(0, 0, 0, 0)))
    return Candidate(data if decoded.ended else made_up.png(decoded.pixels), decoded.pixels, said)
