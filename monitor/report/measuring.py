"""Reads the crops of a labelled folder once and lets every model judge them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.crops.dataset import LabelledPath
from monitor.evaluation.comparison import judge_together
from monitor.evaluation.labelled_folder import read_with_truth
from monitor.files.chunks import chunks
from monitor.files.text import printable
from monitor.formulas.rates import evaluate
from monitor.models.calls import SCORED_AT_ONCE, score_each
from monitor.words import DECISION, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.crops.dataset import Dataset
    from monitor.crops.reader import Reader
    from monitor.formulas.rates import Evaluation
    from monitor.scoring.ensemble import ActiveModel, Ensemble


class FolderPart(StrEnum):
    """Which part of the folder a crop belongs to."""

    # Of train/, kept apart from the training; ne_proliv.
    HELD_OUT = "held-out"
    # Together with the held-out crops, what the threshold is chosen from.
    PROLIV = "proliv/"
    TEST = "test"


# What the threshold is chosen from.
EVIDENCE: Final = (FolderPart.HELD_OUT, FolderPart.PROLIV)


@dataclass(frozen=True)
class FolderCrop:
    """A decoded crop, uint8 (h, w, 3), with its label.

    ``name``: its path below the folder, as it may be shown. ``hole``: the number of its hole; None where its name does
    not say it.
    """

    name: str
    part: FolderPart
    proliv: bool
    pixels: NDArray[np.uint8]
    hole: int | None
    sha256: str


@dataclass(frozen=True)
class ReadFolder:
    """The crops of a labelled folder, and the files that could not be read, each with the reason."""

    root: Path
    crops: tuple[FolderCrop, ...]
    refused: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Judged:
    """What one judge, a model or the final decision of several, says of the crops that concern it.

    ``crops``: M of them; those that concern a model are its own held-out ones, proliv/ and the test, without those
    that it refuses. ``scores`` and ``mse``, float64 (M,), are theirs; the final decision has no mse, so there it is
    NaN. A crop is decided to be proliv when its score reaches the threshold.
    """

    name: str
    crops: tuple[FolderCrop, ...]
    scores: NDArray[np.float64]
    mse: NDArray[np.float64]
    threshold: float

    @property
    def proliv(self) -> NDArray[np.bool_]:
        """bool (M,): the labels, True = proliv."""
        return np.array([crop.proliv for crop in self.crops], dtype=np.bool_)

    def of(self, *parts: FolderPart) -> NDArray[np.bool_]:
        """bool (M,): which of the crops belong to one of the parts."""
        return np.array([crop.part in parts for crop in self.crops], dtype=np.bool_)

    def evaluated(self, *parts: FolderPart) -> Evaluation | None:
        """What the threshold does to the crops of the parts; None where there are none."""
        rows = self.of(*parts)
        return evaluate(self.scores[rows], self.proliv[rows], self.threshold) if rows.any() else None


@dataclass(frozen=True)
class MeasuredFolder:
    """A folder and what every judge says of its crops, by the judge's name; the final decision's is ``decision``."""

    folder: ReadFolder
    judged: Mapping[str, Judged]


def read_folder(
    dataset: Dataset,
    reader: Reader,
    held_out: Mapping[str, frozenset[str]],
    on_read: Callable[[], None] = lambda: None,
) -> ReadFolder:
    """Read the crops of proliv/ and test/, and those of train/ that were held out from the training of any model.

    ``held_out``: the sha256 of those crops by the model's name. ``on_read`` is called after each file.
    """
    kept = frozenset[str]().union(*held_out.values())
    crops: list[FolderCrop] = []
    refused: list[tuple[Path, str]] = []
    for part, labelled in _parts(dataset).items():
        # In pieces, so that the crops of train/ that no model was kept from are not all in memory at once.
        for some in chunks(labelled, SCORED_AT_ONCE):
            found = read_with_truth(some, reader, on_read)
            refused += found.crops.refused
            rows = zip(found.labelled, found.crops.pixels, found.crops.holes, found.crops.digests, strict=True)
            crops += [
                FolderCrop(
                    name=printable(one.path.relative_to(dataset.root)),
                    part=part,
                    proliv=one.label is Label.PROLIV,
                    pixels=pixels,
                    hole=hole,
                    sha256=sha256,
                )
                for one, pixels, hole, sha256 in rows
                if part is not FolderPart.HELD_OUT or sha256 in kept
            ]
    return ReadFolder(dataset.root, tuple(crops), tuple(refused))


def measure_folder(
    folder: ReadFolder,
    loaded: Sequence[ActiveModel],
    ensemble: Ensemble | None,
    held_out: Mapping[str, frozenset[str]],
    on_judged: Callable[[int], None] = lambda _count: None,
) -> MeasuredFolder:
    """Let every model judge the crops that concern it, and make the final decision if there is an ``ensemble``.

    ``loaded`` holds the ensemble's models; ``held_out``, as for `read_folder`, has an entry for each. A held-out crop
    concerns the final decision when every model of the ensemble was kept from it. ``on_judged`` is called with the
    number of crops just judged.
    """
    crops = folder.crops
    said = {model.id: np.full((len(crops), 2), np.nan) for model in loaded}
    for rows in chunks(range(len(crops)), SCORED_AT_ONCE):
        for model in loaded:
            pixels, holes = [crops[row].pixels for row in rows], [crops[row].hole for row in rows]
            answers = score_each(model.detector, pixels, holes)
            said[model.id][rows] = np.column_stack([answers.deciding, answers.mse])
        on_judged(len(rows))
    judged = {
        model.name: _concerning(crops, held_out[model.name], model.name, said[model.id], model.threshold)
        for model in loaded
    }
    if ensemble is not None:
        final = judge_together(ensemble, {number: columns[:, 0] for number, columns in said.items()})
        kept_from_all = frozenset.intersection(*(held_out[model.name] for model in ensemble.models))
        columns = np.column_stack([final.scores, np.full(len(final.scores), np.nan)])
        judged[DECISION] = _concerning(crops, kept_from_all, DECISION, columns, final.threshold)
    return MeasuredFolder(folder, judged)


def _parts(dataset: Dataset) -> dict[FolderPart, Sequence[LabelledPath]]:
    return {
        FolderPart.HELD_OUT: [LabelledPath(path, Label.NE_PROLIV) for path in dataset.train],
        FolderPart.PROLIV: [LabelledPath(path, Label.PROLIV) for path in dataset.proliv],
        FolderPart.TEST: dataset.test,
    }


def _concerning(
    crops: Sequence[FolderCrop], held_out: frozenset[str], name: str, said: NDArray[np.float64], threshold: float
) -> Judged:
    """What a judge says of proliv/, of the test and of its own held-out crops, where it says anything.

    ``said``: its score and mse of each crop, float64 (N, 2), NaN where it refused the crop.
    """
    rows = [
        row
        for row, crop in enumerate(crops)
        if np.isfinite(said[row, 0]) and (crop.part is not FolderPart.HELD_OUT or crop.sha256 in held_out)
    ]
    return Judged(name, tuple(crops[row] for row in rows), said[rows, 0], said[rows, 1], threshold)
