"""A small trained detector, and its model on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.models import folders
from monitor.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Detector, EpochReport, FitReport
    from monitor.models.folders import SavedModel

REGISTRY = Registry.load()
HELD_OUT = ["b" * 64, "a" * 64, "b" * 64]


@dataclass(frozen=True)
class Trained:
    detector: Detector
    report: FitReport
    batch: NDArray[np.uint8]


def train(seed: int = 0) -> Trained:
    detector_class = REGISTRY.detector_class("ae")
    detector = detector_class(detector_class.Settings(epochs=2, code_size=3))
    crops = np.random.default_rng(5).integers(0, 256, (24, 30, 50, 3), dtype=np.uint8)
    batch = detector.prepare_batch(list(crops))

    def ignore(report: EpochReport) -> None: ...

    report = detector.fit(batch[:18], validation=batch[18:], seed=seed, progress=ignore)
    return Trained(detector, report, batch)


save_model = partial(folders.save, training=["d" * 64])


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train()


@pytest.fixture
def saved(trained: Trained, tmp_path: Path) -> SavedModel:
    return save_model(tmp_path / "models", trained.detector, validation=HELD_OUT, report=trained.report)
