"""What a model is trained on again: the folder that it was trained on, and the pictures of labelled crops.

A label may be wrong. One that calls a near-duplicate of a known proliv normal, or a near-duplicate of a normal crop
proliv, is named and not learned. Held-out crops that are near-duplicates of learned false alarms are left out, because
neither the threshold nor the checks may rest on what was learned by heart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from monitor.crops.dataset import open_dataset, require
from monitor.crops.in_memory import ReadCrops, read_all
from monitor.crops.reader import Reader
from monitor.errors import DataError
from monitor.files.ignoring import IgnoredNames
from monitor.files.text import printable
from monitor.labels.pictures import Picture, places_of, read_again
from monitor.models import hold_out
from monitor.models.training import split_as
from monitor.words import Identity

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.labels.labels import LabelledCrop
    from monitor.learning.selection import Selection
    from monitor.models.training import TrainingData
    from monitor.store.database.engine import Database

# Name this many crops, and count the others.
MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Material:
    """What to learn from; ``notes``: what was left out, a sentence each."""

    data: TrainingData
    notes: list[str]

    @property
    def labelled(self) -> int:
        """How many labelled crops of operation are in it."""
        return len(self.data.confirmed.pixels) + len(self.data.false_alarms.pixels)

    @property
    def proliv_groups(self) -> int:
        """How many groups the known proliv is of: holes, or near-duplicates of unknown holes."""
        data = self.data
        pixels = [*data.proliv.pixels, *data.confirmed.pixels]
        return int(hold_out.groups_of_proliv(pixels, [*data.proliv.holes, *data.confirmed.holes]).max(initial=-1)) + 1


def gather(
    configuration: Configuration, database: Database, folder: Path, validation: Collection[str], selection: Selection
) -> Material:
    """Read everything; ``validation``: the sha256 of the crops that the former model held out, which stay held out.

    Raises `InputMissingError` and `DataError` where the folder is not what the former model was trained on.
    """
    reader = Reader(configuration)
    dataset = open_dataset(folder, IgnoredNames(configuration.settings.crops.ignore))
    require(dataset, "train")
    data = split_as(read_all(reader, dataset.train), validation, folder)
    data = data.with_proliv(read_all(reader, dataset.proliv))
    notes: list[str] = []
    false_alarms = _pictures(reader, database, selection.false_alarms, notes)
    confirmed = _pictures(reader, database, selection.confirmed, notes)
    # Contents that are in the folder with the same label are learned already.
    false_alarms = _without(false_alarms, {*data.train.digests, *data.validation.digests})
    confirmed = _without(confirmed, data.proliv.digests)
    paths = {crop.sha256: crop.path for crop in (*selection.false_alarms, *selection.confirmed)}
    normal = [*data.train.pixels, *data.validation.pixels, *false_alarms.pixels]
    like_proliv = hold_out.twins(false_alarms.pixels, [*data.proliv.pixels, *confirmed.pixels]) >= 0
    like_normal = hold_out.twins(confirmed.pixels, normal) >= 0
    _note_twins(notes, [paths[one] for one in false_alarms.those(like_proliv).digests], "ne_proliv", "a known proliv")
    _note_twins(notes, [paths[one] for one in confirmed.those(like_normal).digests], "proliv", "a normal crop")
    false_alarms, confirmed = false_alarms.those(~like_proliv), confirmed.those(~like_normal)
    kept = data.validation.those(hold_out.twins(data.validation.pixels, false_alarms.pixels) < 0)
    if not kept.pixels:
        raise DataError(
            f"{printable(folder)}: every held-out crop is a near-duplicate of a labelled false alarm, so nothing is "
            "left to choose a threshold from; add crops to train/ and train the detector anew: monitor train"
        )
    return Material(replace(data, validation=kept, confirmed=confirmed, false_alarms=false_alarms), notes)


def _pictures(reader: Reader, database: Database, crops: Sequence[LabelledCrop], notes: list[str]) -> ReadCrops:
    """The pictures of labelled crops whose files are still there; a sentence about the others is added to ``notes``."""
    with database.read() as connection:
        places = places_of(connection, crops)
    found, lost = ReadCrops(), []
    for crop in crops:
        one = read_again(reader, crop, places[crop.sha256])
        if isinstance(one, Picture):
            found.pixels.append(one.pixels)
            found.identities.append(Identity(crop.hole, crop.camera, crop.captured_at))
            found.digests.append(crop.sha256)
        else:
            lost.append(crop.path)
    if lost:
        notes.append(
            f"the files of {len(lost)} labelled {crops[0].label.value} crops are gone or cannot be read, so they are "
            f'not learned: {_named(lost)}; inbox.after = "archive" keeps them, and so does a copy in the labelled '
            "folder"
        )
    return found


def _without(crops: ReadCrops, contents: Collection[str]) -> ReadCrops:
    known = set(contents)
    return crops.those(digest not in known for digest in crops.digests)


def _note_twins(notes: list[str], paths: Sequence[str], label: str, what: str) -> None:
    if paths:
        are = "is" if len(paths) == 1 else "are"
        notes.append(
            f"{_named(paths)} {are} labelled {label} and nearly the same as {what}, so it is unclear which is right, "
            "and nothing is learned from it; look at both, and correct the wrong one: monitor label"
        )


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
