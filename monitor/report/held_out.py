"""What a training log shows of a detector that has just been trained: its view of the held-out crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.models.calls import measure
from monitor.report import style
from monitor.report.crops import Caption, choose_unlabelled, reconstructions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.crops.in_memory import ReadCrops


@dataclass(frozen=True)
class HeldOut:
    """The deciding scores of M held-out crops, float64 (M,), and a picture of ten of them, uint8 (H, W, 3)."""

    scores: NDArray[np.float64]
    picture: NDArray[np.uint8]


def look(detector: Detector, crops: ReadCrops) -> HeldOut:
    """Let a trained detector judge and reconstruct held-out crops; those that it refuses are left out."""
    scores = measure(detector, crops.pixels, crops.holes)
    judged = np.flatnonzero(np.isfinite(scores))
    chosen = choose_unlabelled(scores[judged])
    rows = [int(judged[one.row]) for one in chosen]
    batch = detector.prepare_batch([crops.pixels[row] for row in rows], [crops.holes[row] for row in rows])
    captions = [
        Caption((f"{number}. {one.why}", f"score {scores[row]:.4g}"))
        for number, (row, one) in enumerate(zip(rows, chosen, strict=True), 1)
    ]
    figure = reconstructions(batch, detector.reconstruct(batch), captions)
    return HeldOut(scores[judged], style.as_pixels(figure))
