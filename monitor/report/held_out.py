"""What a training log shows of a detector that has just been trained: how it sees the held-out crops."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from monitor.configuration.extras import how_to_install, is_installed
from monitor.models.calls import score_all
from monitor.models.training_log import HeldOutView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.crops.in_memory import ReadCrops

log = logging.getLogger(__name__)


def view_held_out(detector: Detector, crops: ReadCrops) -> HeldOutView:
    """Let a trained detector score held-out crops, and draw ten of them; those that it refuses are left out."""
    scores = score_all(detector, crops.pixels, crops.holes).deciding
    scored = np.flatnonzero(np.isfinite(scores))
    if not is_installed("matplotlib"):
        log.warning(
            "no picture of the held-out crops is drawn: it needs the package matplotlib; %s", how_to_install("report")
        )
        return HeldOutView(scores[scored], None)
    return HeldOutView(scores[scored], _picture(detector, crops, scores, scored))


def _picture(
    detector: Detector, crops: ReadCrops, scores: NDArray[np.float64], scored: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """Up to ten of the ``scored`` rows with what the detector makes of them, uint8 (H, W, 3)."""
    from monitor.report import style
    from monitor.report.crops import Caption, Seen, choose_unlabelled, sheet

    chosen = choose_unlabelled(scores[scored])
    rows = [int(scored[one.row]) for one in chosen]
    batch = detector.prepare_batch([crops.pixels[row] for row in rows], [crops.holes[row] for row in rows])
    captions = [
        Caption((f"{number}. {one.why}", f"score {scores[row]:.4g}"))
        for number, (row, one) in enumerate(zip(rows, chosen, strict=True), 1)
    ]
    if not detector.offers("reconstruct"):
        log.info("the detector %s reconstructs no crops, so the training log shows them alone", detector.name)
    return style.as_pixels(sheet(Seen.by(detector, batch), captions))
