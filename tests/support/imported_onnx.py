"""Detectors imported from the ONNX files of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plugins.detectors.onnx import Onnx, OnnxSettings
from tests.plugins.conftest import crops
from tests.support.onnx_files import model, written

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def imported(folder: Path, made: Any = None, **settings: Any) -> Onnx:
    file = written(folder, model() if made is None else made)
    return Onnx.from_file(file, OnnxSettings.model_validate(settings), "cpu")


def fitted(detector: Onnx, count: int = 12) -> NDArray[np.uint8]:
    """Let it learn the mean of crops, and return them as it prepares them."""
    batch = detector.prepare_batch(crops(count))
    detector.fit(batch, validation=batch, seed=0, progress=lambda _: None)
    return batch


def maps_of(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the usual network draws of prepared crops."""
    return np.asarray(abs(batch / 255 - 0.5).mean(axis=3), dtype=np.float64)
