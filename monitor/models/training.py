"""Trains a detector on the train/ part of a labelled folder and keeps it as a model.

The validation part is held out by groups of near-duplicates (`monitor.models.hold_out`), never at random and never
from test images; its digests are kept with the model, because the threshold is chosen on it later. A detector that
learns from proliv gets those of proliv/ too, and the scores that it gives them without having learned from them are
kept with the model for the same purpose.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from monitor.api import FalseAlarms, FitReport, KnownProliv, Scores
from monitor.crops.in_memory import ReadCrops
from monitor.errors import DataError, PluginError
from monitor.files.text import printable
from monitor.models import folders, hold_out
from monitor.models.folders import Learned
from monitor.registry import whose
from monitor.store import models

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.api import Detector, Progress
    from monitor.models.folders import SavedModel
    from monitor.store.database.engine import Database

    # (in the transaction that remembers a model, its name)
    Remembered = Callable[[Connection, str], None]

log = logging.getLogger(__name__)

# Name this many contents that lie in both folders.
MOST_NAMED: Final = 5


@dataclass(frozen=True)
class TrainingData:
    """Crops to learn from and crops that were held out, by groups of near-duplicates.

    ``groups``: the group of each of the crops to learn from. ``proliv``: those of proliv/, which only a detector gets
    that learns from proliv. ``confirmed``, ``false_alarms``: crops that were labelled in operation, proliv and crops
    without proliv that a model called proliv; none of them is among the others.
    """

    train: ReadCrops
    validation: ReadCrops
    groups: NDArray[np.intp]
    proliv: ReadCrops = field(default_factory=ReadCrops)
    confirmed: ReadCrops = field(default_factory=ReadCrops)
    false_alarms: ReadCrops = field(default_factory=ReadCrops)

    def with_proliv(self, proliv: ReadCrops) -> TrainingData:
        """The same data with proliv to learn from, less what is also among the crops without proliv."""
        normal = {*self.train.digests, *self.validation.digests}
        in_both = normal.intersection(proliv.digests)
        if in_both:
            log.warning(
                "%d crops lie in train/ and, with the same content, in proliv/; it is unclear which is right, so they "
                "are not learned as proliv; remove them from one of the two; by sha256: %s",
                len(in_both), ", ".join(sorted(in_both)[:MOST_NAMED]),
            )  # fmt: skip
        return replace(self, proliv=proliv.those(digest not in in_both for digest in proliv.digests))


def subset(paths: Sequence[Path], limit: int | None, seed: int) -> list[Path]:
    """At most ``limit`` of the paths, drawn at random by ``seed``, in their order."""
    import numpy as np

    if limit is None or limit >= len(paths):
        return list(paths)
    chosen = np.random.default_rng(seed).choice(len(paths), size=limit, replace=False)
    return [paths[index] for index in sorted(chosen.tolist())]


def split(crops: ReadCrops, *, share: float, seed: int) -> TrainingData:
    """Hold out about ``share`` of the crops; raises `DataError` when there are too few."""
    held_out, groups = hold_out.hold_out(crops.pixels, share=share, seed=seed)
    if held_out.all() or not held_out.any():
        raise DataError(f"{len(crops.pixels)} crops are too few to hold out a validation part; add more to train/")
    return TrainingData(crops.those(~held_out), crops.those(held_out), groups[~held_out])


def split_as(crops: ReadCrops, validation: Collection[str], folder: Path) -> TrainingData:
    """Hold out the crops, of ``folder``, that another training held out: ``validation`` has their sha256.

    Raises `DataError` when none of them, or nothing else, is there.
    """
    import numpy as np

    held_out = np.array([digest in validation for digest in crops.digests], dtype=np.bool_)
    if held_out.all() or not held_out.any():
        what = "nothing else" if held_out.any() else f"none of the {len(validation)} crops that it held out"
        raise DataError(
            f"{printable(folder)}: is not the folder that the model was trained on: {what} is in its train/; name the "
            "right one with --data or learning.data"
        )
    return TrainingData(
        crops.those(~held_out), crops.those(held_out), hold_out.groups_of_normal(crops.pixels, held_out)
    )


def train(
    detector: Detector,
    data: TrainingData,
    *,
    seed: int,
    progress: Progress,
    database: Database,
    models_folder: Path,
    also: Remembered = lambda _connection, _name: None,
) -> SavedModel:
    """Fit, save and remember one detector; interrupted, it leaves nothing behind.

    ``also`` is called in the transaction that remembers it, with its name.
    """
    report = fit(detector, data, seed=seed, progress=progress)
    return keep(detector, data, report, database, models_folder, also=also)


def fit(detector: Detector, data: TrainingData, *, seed: int, progress: Progress) -> FitReport:
    """Let a detector learn from prepared crops; raises `PluginError` for one that does not report as it has to."""
    report = detector.fit(
        detector.prepare_batch(data.train.pixels, data.train.holes),
        validation=detector.prepare_batch(data.validation.pixels, data.validation.holes),
        seed=seed,
        progress=progress,
        **_known_proliv(detector, data),
    )
    if not isinstance(report, FitReport):
        raise PluginError(
            f"the detector {detector.name!r}{whose(detector)}: its method fit returned {type(report).__name__}, and it "
            "has to return a monitor.api.FitReport; update the package that it comes from"
        )
    if detector.learns_from_proliv:
        known = len(data.proliv.pixels) + len(data.confirmed.pixels)
        _check_cross_fitted(detector, report.cross_fitted, known, "cross_fitted", "proliv")
    if data.false_alarms.pixels:
        count = len(data.false_alarms.pixels)
        _check_cross_fitted(detector, report.cross_fitted_normal, count, "cross_fitted_normal", "labelled false alarms")
    return report


def keep(
    detector: Detector,
    data: TrainingData,
    report: FitReport,
    database: Database,
    models_folder: Path,
    *,
    name: str | None = None,
    also: Remembered = lambda _connection, _name: None,
) -> SavedModel:
    """Save a trained detector and remember it in the store, as `folders.save` names it; ``also`` as for `train`."""
    saved = folders.save(
        models_folder,
        detector,
        validation=data.validation.digests,
        report=report,
        training=data.train.digests,
        learned=Learned(data.proliv.digests, data.confirmed.digests, data.false_alarms.digests),
        name=name,
    )
    with database.write() as connection:
        models.add_model(
            connection,
            name=saved.name,
            detector=saved.detector,
            fingerprint=saved.fingerprint,
            folder=saved.folder.name,
            settings=saved.settings,
        )
        also(connection, saved.name)
    return saved


def _known_proliv(detector: Detector, data: TrainingData) -> dict[str, Any]:
    """The argument ``proliv`` of `Detector.fit`, for a detector that asks for it."""
    import numpy as np

    if not detector.learns_from_proliv:
        return {}
    pixels = [*data.proliv.pixels, *data.confirmed.pixels]
    holes = [*data.proliv.holes, *data.confirmed.holes]
    groups = hold_out.joined(data.train.pixels, data.groups, data.false_alarms.pixels)
    normal = len(data.train.pixels)
    false_alarms = detector.prepare_batch(data.false_alarms.pixels, data.false_alarms.holes)
    return {
        "proliv": KnownProliv(
            detector.prepare_batch(pixels, holes),
            hold_out.groups_of_proliv(pixels, holes),
            groups[:normal],
            confirmed=np.arange(len(pixels)) >= len(data.proliv.pixels),
            false_alarms=FalseAlarms(false_alarms, groups[normal:]) if len(false_alarms) else None,
        )
    }


def _check_cross_fitted(detector: Detector, scores: Scores | None, count: int, name: str, of: str) -> None:
    """Raise `PluginError` unless all that was learned by heart has a cross-fitted score; a threshold needs it."""
    what = f"the detector {detector.name!r}{whose(detector)} learns from proliv, and its method fit has to return"
    if not isinstance(scores, Scores):
        raise PluginError(f"{what} a FitReport with {name}, the monitor.api.Scores of the {of} that it got")
    try:
        scores.check(count)
    except DataError as error:
        raise PluginError(f"{what} one cross-fitted score for each of {count} {of}: {error}") from error
