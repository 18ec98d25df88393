"""Trains a detector on the train/ part of a labelled folder and keeps it as a model.

The validation part is held out by groups of near-duplicates (`monitor.models.hold_out`), never at random and never
from test images; its digests are kept with the model, because the threshold is chosen on it later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.configuration.file import Configuration, plugin_settings
from monitor.crops.loader import printable
from monitor.errors import DataError
from monitor.models import folders, hold_out
from monitor.store import decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector, Progress
    from monitor.crops.loader import Identity
    from monitor.models.folders import SavedModel
    from monitor.registry import Registry
    from monitor.scoring.pipeline import Reader
    from monitor.store.database.engine import Database

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


@dataclass(frozen=True)
class TrainingData:
    """Crops to learn from and crops that were held out, by groups of near-duplicates."""

    train: ReadCrops
    validation: ReadCrops


def read_all(reader: Reader, paths: Sequence[Path], on_read: Callable[[], None] = lambda: None) -> ReadCrops:
    """Read crops; ``on_read`` is called after each. A refused one is warned of and left out."""
    crops = ReadCrops()
    for path in paths:
        work = reader.read(path)
        if work.decoded is not None and work.content is not None:
            crops.pixels.append(work.decoded.pixels)
            crops.identities.append(work.identity)
            crops.digests.append(work.content.sha256)
        else:
            log.warning("%s: %s; it is left out", printable(path), work.refusal)
            crops.refused.append((path, str(work.refusal)))
        on_read()
    return crops


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


def untrained(registry: Registry, configuration: Configuration, name: str, overrides: Mapping[str, Any]) -> Detector:
    """Make the detector ``name`` with the settings of the configuration and ``overrides`` over them."""
    detector_class = registry.detector_class(name)
    settings = plugin_settings(
        detector_class.Settings,
        configuration.settings.detectors.get(name, {}),
        section=f"detectors.{name}",
        source=configuration.source,
        overrides=overrides,
    )
    return detector_class(settings, configuration.settings.pipeline.device)


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
    saved = folders.save(
        models_folder,
        detector,
        validation=data.validation.digests,
        report=report,
        training=data.train.digests,
    )
    with database.write() as connection:
        decisions.add_model(
            connection,
            name=saved.name,
            detector=saved.detector,
            fingerprint=saved.fingerprint,
            folder=saved.folder.name,
            settings=saved.settings,
        )
    return saved
