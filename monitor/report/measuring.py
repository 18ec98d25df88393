"""Reads the crops of a labelled folder once and lets every model judge them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.evaluation.comparison import judge_together
from monitor.files.text import printable
from monitor.formulas.rates import evaluate
from monitor.scoring import pipeline
from monitor.scoring.ensemble import Ensemble
from monitor.words import DECISION, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.crops.dataset import Dataset
    from monitor.crops.reader import Reader
    from monitor.formulas.rates import Evaluation
    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.work import Work

BATCH: Final = 256


class Part(StrEnum):
    """Which part of the folder a crop belongs to."""

    HELD_OUT = "held-out"
    """Of train/, kept apart from the training; ne_proliv."""
    PROLIV = "proliv/"
    """With the held-out crops, what the threshold is chosen from."""
    TEST = "test"


EVIDENCE: Final = (Part.HELD_OUT, Part.PROLIV)


@dataclass(frozen=True)
class Crop:
    """A decoded crop, uint8 (h, w, 3), with its label and the work that carries the decisions on it.

    ``name``: its path below the folder, as it may be shown.
    """

    work: Work
    name: str
    part: Part
    proliv: bool
    pixels: NDArray[np.uint8]
    sha256: str


@dataclass(frozen=True)
class Judged:
    """What one judge, a model or the final decision of several, says of those crops that concern it.

    ``crops``: M of them; a model's are its own held-out ones, proliv/ and the test, without those that it refuses.
    ``scores`` and ``mse``, float64 (M,), are theirs; the final decision has no mse, then it is NaN. A crop is decided
    to be proliv when its score reaches the threshold.
    """

    name: str
    crops: tuple[Crop, ...]
    scores: NDArray[np.float64]
    mse: NDArray[np.float64]
    threshold: float

    @property
    def proliv(self) -> NDArray[np.bool_]:
        """bool (M,): the labels, True = proliv."""
        return np.array([crop.proliv for crop in self.crops], dtype=np.bool_)

    def of(self, *parts: Part) -> NDArray[np.bool_]:
        """bool (M,): which of the crops belong to one of the parts."""
        return np.array([crop.part in parts for crop in self.crops], dtype=np.bool_)

    def evaluated(self, *parts: Part) -> Evaluation | None:
        """What the threshold does to the crops of the parts; None where there are none."""
        rows = self.of(*parts)
        return evaluate(self.scores[rows], self.proliv[rows], self.threshold) if rows.any() else None


@dataclass(frozen=True)
class Folder:
    """What was read of a labelled folder, and the files that could not be, each with the reason."""

    root: Path
    crops: tuple[Crop, ...]
    refused: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Measured:
    """A folder and what every judge says of its crops, by the judge's name; the final decision's is ``decision``."""

    folder: Folder
    judged: Mapping[str, Judged]


def read(
    dataset: Dataset,
    reader: Reader,
    held_out: Mapping[str, frozenset[str]],
    on_read: Callable[[], None] = lambda: None,
) -> Folder:
    """Read the crops of proliv/ and test/, and those of train/ that any model was kept from.

    ``held_out``: the sha256 of those crops by the model's name. ``on_read`` is called after each file.
    """
    kept = frozenset[str]().union(*held_out.values())
    labelled = [
        *((path, Part.HELD_OUT, False) for path in dataset.train),
        *((path, Part.PROLIV, True) for path in dataset.proliv),
        *((item.path, Part.TEST, item.label is Label.PROLIV) for item in dataset.test),
    ]
    crops: list[Crop] = []
    refused: list[tuple[Path, str]] = []
    for path, part, proliv in labelled:
        work = reader.read(path)
        if work.decoded is None or work.content is None:
            refused.append((path, str(work.refusal)))
        elif part is not Part.HELD_OUT or work.content.sha256 in kept:
            name = printable(path.relative_to(dataset.root))
            crops.append(Crop(work, name, part, proliv, work.decoded.pixels, work.content.sha256))
        on_read()
    return Folder(dataset.root, tuple(crops), tuple(refused))


def measure(
    folder: Folder,
    loaded: Sequence[ActiveModel],
    ensemble: Ensemble | None,
    held_out: Mapping[str, frozenset[str]],
    on_judged: Callable[[int], None] = lambda _count: None,
) -> Measured:
    """Let every model judge the crops that concern it, and make the final decision if there is an ``ensemble``.

    ``loaded`` holds the ensemble's models; ``held_out``, as for `read`, has an entry for each. Of the held-out crops,
    those concern the final decision that every one of its models was kept from. ``on_judged`` is called with the
    number of crops just judged. A crop can be judged once: afterwards its work has no pixels.
    """
    everyone = Ensemble(tuple(loaded), "primary")
    for start in range(0, len(folder.crops), BATCH):
        batch = [crop.work for crop in folder.crops[start : start + BATCH]]
        pipeline.score(batch, everyone)
        on_judged(len(batch))
    said = {model.id: _said_by(model, folder.crops) for model in loaded}
    judged = {
        model.name: _concerning(folder.crops, held_out[model.name], model.name, said[model.id], model.threshold)
        for model in loaded
    }
    if ensemble is not None:
        final = judge_together(ensemble, {number: columns[:, 0] for number, columns in said.items()})
        kept_from_all = frozenset.intersection(*(held_out[model.name] for model in ensemble.models))
        columns = np.column_stack([final.scores, np.full(len(final.scores), np.nan)])
        judged[DECISION] = _concerning(folder.crops, kept_from_all, DECISION, columns, final.threshold)
    return Measured(folder, judged)


def _said_by(model: ActiveModel, crops: Sequence[Crop]) -> NDArray[np.float64]:
    """A model's score and mse of each crop, float64 (N, 2); NaN where it refused the crop."""
    said = np.full((len(crops), 2), np.nan)
    for row, crop in enumerate(crops):
        for decision in crop.work.decisions:
            if decision.model is model:
                said[row] = decision.score, decision.mse
    return said


def _concerning(
    crops: Sequence[Crop], held_out: frozenset[str], name: str, said: NDArray[np.float64], threshold: float
) -> Judged:
    """What a judge says of proliv/, of the test and of its own held-out crops, as far as it says anything."""
    rows = [
        row
        for row, crop in enumerate(crops)
        if np.isfinite(said[row, 0]) and (crop.part is not Part.HELD_OUT or crop.sha256 in held_out)
    ]
    return Judged(name, tuple(crops[row] for row in rows), said[rows, 0], said[rows, 1], threshold)
