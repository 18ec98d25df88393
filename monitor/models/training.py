"""Trains a detector on the train/ part of a labelled folder and keeps it as a model.

The validation part is held out by groups of near-duplicates (`monitor.models.hold_out`), never at random and never
from test images; its digests are kept with the model, because the threshold is chosen on it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.api import FitReport
from monitor.errors import DataError, PluginError
from monitor.models import folders, hold_out
from monitor.registry import whose
from monitor.store import models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.api import Detector, Progress
    from monitor.crops.in_memory import ReadCrops
    from monitor.models.folders import SavedModel
    from monitor.store.database.engine import Database


@dataclass(frozen=True)
class TrainingData:
    """Crops to learn from and crops that were held out, by groups of near-duplicates."""

    train: ReadCrops
    validation: ReadCrops


def subset(paths: Sequence[Path], limit: int | None, seed: int) -> list[Path]:
    """At most ``limit`` of the paths, drawn at random by ``seed``, in their order."""
    import numpy as np

    if limit is None or limit >= len(paths):
        return list(paths)
    chosen = np.random.default_rng(seed).choice(len(paths), size=limit, replace=False)
    return [paths[index] for index in sorted(chosen.tolist())]


def split(crops: ReadCrops, *, share: float, seed: int) -> TrainingData:
    """Hold out about ``share`` of the crops; raises `DataError` when there are too few."""
    held_out = hold_out.hold_out(crops.pixels, share=share, seed=seed)
    if held_out.all() or not held_out.any():
        raise DataError(f"{len(crops.pixels)} crops are too few to hold out a validation part; add more to train/")
    return TrainingData(train=crops.those(~held_out), validation=crops.those(held_out))


def train(
    detector: Detector, data: TrainingData, *, seed: int, progress: Progress, database: Database, models_folder: Path
) -> SavedModel:
    """Fit, save and remember one detector; interrupted, it leaves nothing behind."""
    report = detector.fit(
        detector.prepare_batch(data.train.pixels, data.train.holes),
        validation=detector.prepare_batch(data.validation.pixels, data.validation.holes),
        seed=seed,
        progress=progress,
    )
    if not isinstance(report, FitReport):
        raise PluginError(
            f"the detector {detector.name!r}{whose(detector)}: its method fit returned {type(report).__name__}, and it "
            "has to return a monitor.api.FitReport; update the package that it comes from"
        )
    saved = folders.save(
        models_folder,
        detector,
        validation=data.validation.digests,
        report=report,
        training=data.train.digests,
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
    return saved
