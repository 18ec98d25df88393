"""Asks a detector for scores; its failures stay with the crops that caused them."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.crops.refusals import out_of_memory
from monitor.errors import CropRefusedError
from monitor.files.chunks import chunks
from monitor.files.text import printable
from monitor.registry import whose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from monitor.api import Detector, Measurement, Scores

log = logging.getLogger(__name__)

# How many crops a detector is given at once where many are scored outside of the pipeline.
SCORED_AT_ONCE: Final = 256
# How libraries say that there is no memory left, without raising `MemoryError`: torch of a processor's and of a GPU's,
# ONNX Runtime, and the system.
_NO_MEMORY: Final = re.compile(
    "out of memory|can't allocate memory|not enough memory|failed to allocate memory|cannot allocate memory",
    re.IGNORECASE,
)
# How much of a detector's own words goes into the log and the database.
LONGEST_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Answers:
    """What a detector says of N crops.

    ``mse`` and ``deciding``: float64 (N,), the mean squared errors and the scores that decide; NaN where it refused
    the crop. ``refusals``: by row.
    """

    mse: NDArray[np.float64]
    deciding: NDArray[np.float64]
    refusals: Mapping[int, CropRefusedError]


def score_each(detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]) -> Answers:
    """Score decoded crops, each uint8 (h, w, 3), together; where that fails, one by one.

    So only the crops that cause a failure are refused, and a lack of memory for many does not refuse them one by one.
    """
    count = len(pixels)
    if not count:
        return Answers(np.empty(0), np.empty(0), {})
    try:
        return _checked(detector.score(detector.prepare_batch(pixels, holes)), count)
    except Exception as error:  # noqa: BLE001 - a detector is a third party's code and may raise anything
        if count == 1:
            return Answers(np.array([np.nan]), np.array([np.nan]), {0: _refusal(detector, error)})
    # Only here is everything gone that the failed attempt had in memory: an exception keeps it.
    return _joined([score_each(detector, [one], [hole]) for one, hole in zip(pixels, holes, strict=True)])


def score_together(
    detectors: Sequence[Detector], pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]
) -> list[Answers]:
    """What each of several detectors says, as `score_each` has it; what several measure is measured once."""
    measured: dict[Measurement, Any] = {}
    answers: list[Answers] = []
    for detector, owner in zip(detectors, _measured_by(detectors), strict=True):
        found = None
        if owner is not None and pixels:
            # Whatever fails here is found out crop by crop below.
            with suppress(Exception):
                measurement = owner.measurement()
                assert measurement is not None
                if measurement not in measured:
                    measured[measurement] = measurement.measure(owner.prepare_batch(pixels, holes))
                found = _checked(detector.score_measured(measured[measurement]), len(pixels))
        answers.append(found or score_each(detector, pixels, holes))
    return answers


def _measured_by(detectors: Sequence[Detector]) -> list[Detector | None]:
    """For each detector the one whose measurement it shares, which may be itself; None where it shares none."""
    wanted = [_measurement(detector) for detector in detectors]
    own = [(detector, one) for detector, one in zip(detectors, wanted, strict=True) if one is not None]
    # The one that covers the most comes first.
    own = sorted(own, key=lambda pair: -sum(_covers(pair[1], other) for _, other in own))
    chosen = [
        None if one is None else next((owner for owner, other in own if _covers(other, one)), None) for one in wanted
    ]
    return [owner if chosen.count(owner) > 1 else None for owner in chosen]


def _measurement(detector: Detector) -> Measurement | None:
    """What a detector measures; None where it fails to say, as it is a third party's code."""
    try:
        return detector.measurement()
    except Exception:  # noqa: BLE001 - it scores for itself, which shows what is wrong
        return None


def _covers(one: Measurement, other: Measurement) -> bool:
    try:
        return bool(one.covers(other))
    except Exception:  # noqa: BLE001 - as above
        return False


def score_all(detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]) -> Answers:
    """Score any number of decoded crops, in batches; each refusal is logged as a warning."""
    batches = zip(chunks(pixels, SCORED_AT_ONCE), chunks(holes, SCORED_AT_ONCE), strict=True)
    answers = _joined([score_each(detector, *batch) for batch in batches])
    for row, refusal in answers.refusals.items():
        log.warning("crop %d of %d is left out: %s", row + 1, len(pixels), refusal)
    return answers


def _checked(scores: Scores, count: int) -> Answers:
    """The scores of so many crops; raises what is wrong with them."""
    scores.check(count)
    return Answers(scores.mse.astype(np.float64), scores.deciding.astype(np.float64), {})


def _joined(parts: Sequence[Answers]) -> Answers:
    refusals: dict[int, CropRefusedError] = {}
    start = 0
    for part in parts:
        refusals.update({start + row: refusal for row, refusal in part.refusals.items()})
        start += len(part.mse)
    mse = np.concatenate([np.empty(0), *(part.mse for part in parts)])
    deciding = np.concatenate([np.empty(0), *(part.deciding for part in parts)])
    return Answers(mse, deciding, refusals)


def _refusal(detector: Detector, error: Exception) -> CropRefusedError:
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return out_of_memory("score")
    # A third party's words go into the log and the database, and its reasons would become labels of a metric.
    words = printable(str(error))[:LONGEST_MESSAGE]
    if isinstance(error, CropRefusedError):
        return CropRefusedError("detector_refused", f"the detector {detector.name} refuses it: {words}")
    who = f"{detector.name}{whose(detector)}"
    log.warning("the detector %s failed on a crop: %s: %s", who, type(error).__name__, words)
    return CropRefusedError("detector_error", f"the detector {who} failed: {type(error).__name__}: {words}")
