"""Asking a detector for scores; its failures stay with the crops that caused them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from monitor.errors import CropRefusedError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector


log = logging.getLogger(__name__)

MEASURE_BATCH: Final = 256
LONGEST_MESSAGE: Final = 500

Scored: TypeAlias = tuple[float, float]
"""What a model says of a crop: the mean squared error, and the score that decides."""


class Measured(NamedTuple):
    """The scores of N crops, each float64 (N,): the mean squared error and the one that decides."""

    mse: NDArray[np.float64]
    deciding: NDArray[np.float64]


def measure(
    detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]
) -> NDArray[np.float64]:
    """The deciding scores of `measure_both` alone."""
    return measure_both(detector, pixels, holes).deciding


def measure_both(detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]) -> Measured:
    """The scores of decoded crops, each uint8 (h, w, 3); for calibration and evaluation.

    NaN where the detector refuses a crop, which is warned of.
    """
    import numpy as np

    measured = Measured(np.full(len(pixels), np.nan), np.full(len(pixels), np.nan))
    for start in range(0, len(pixels), MEASURE_BATCH):
        batch = slice(start, start + MEASURE_BATCH)
        for index, outcome in enumerate(score_each(detector, pixels[batch], holes[batch]), start):
            if isinstance(outcome, CropRefusedError):
                log.warning("crop %d of %d is left out: %s", index + 1, len(pixels), outcome)
            else:
                measured.mse[index], measured.deciding[index] = outcome
    return measured


def score_each(
    detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]
) -> list[Scored | CropRefusedError]:
    """Score decoded crops together; where that fails, one by one, so that only the cause has a refusal."""
    if not pixels:
        return []
    try:
        scores = detector.score(detector.prepare_batch(pixels, holes))
        scores.check(len(pixels))
    except Exception as error:  # noqa: BLE001 - a detector is a third party's code and may raise anything
        if len(pixels) == 1:
            return [_detector_refusal(detector, error)]
        alone = zip(pixels, holes, strict=True)
        return [outcome for one, hole in alone for outcome in score_each(detector, [one], [hole])]
    return list(zip(scores.mse.tolist(), scores.deciding.tolist(), strict=True))


def _detector_refusal(detector: Detector, error: Exception) -> CropRefusedError:
    # A third party's words go into the log and the database, and its reasons would become labels of a metric.
    words = printable(str(error))[:LONGEST_MESSAGE]
    if isinstance(error, CropRefusedError):
        return CropRefusedError("detector_refused", f"the detector {detector.name} refuses it: {words}")
    log.warning("the detector %s failed on a crop: %s: %s", detector.name, type(error).__name__, words)
    return CropRefusedError("detector_error", f"the detector {detector.name} failed: {type(error).__name__}: {words}")
