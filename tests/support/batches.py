"""Made-up batches of crops, for tests that need no files."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.crops.batch import CropFiles
from monitor.files.looks import Looks
from monitor.scoring.batches import DecidedBatch
from monitor.scoring.vote import FinalDecisions, ScoreScale
from monitor.words import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.errors import CropRefusedError
    from monitor.words import Label

SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def model(number: int, threshold: float = 1.0, detector: str = "made-up") -> Any:
    """As much of an active model as deciding needs."""
    return SimpleNamespace(
        id=number,
        name=f"{detector}-{number}",
        detector=SimpleNamespace(name=detector, measurement=lambda: None),
        threshold=threshold,
        calibration_id=number,
        score_scale=ScoreScale(),
    )


def crop_files(
    paths: Sequence[str],
    *,
    labels: Sequence[Label | None] | None = None,
    identities: Sequence[Identity] | None = None,
    changed_at: datetime = SEEN,
) -> CropFiles:
    """Files that were read whole; each path is its own content."""
    count = len(paths)
    looks = Looks(1, 1, int(changed_at.timestamp() * 1e9))
    return CropFiles(
        paths,
        SEEN,
        "inbox",
        labels or [None] * count,
        identities or [Identity(7, "C", SEEN)] * count,
        [hashlib.sha256(path.encode()).hexdigest() for path in paths],
        [looks] * count,
        [(50, 30)] * count,
        [True] * count,
    )


def decided_batch(
    files: CropFiles,
    scores: Sequence[float],
    models: Sequence[Any] = (model(1),),
    refusals: Mapping[int, CropRefusedError] | None = None,
    decided_at: datetime = SEEN,
) -> DecidedBatch:
    """A batch in which every model gave a crop the same score; NaN where it was refused."""
    columns = np.repeat(np.array(scores, dtype=np.float64)[:, None], len(models), axis=1)
    thresholds = np.where(np.isnan(columns[:, 0]), np.nan, models[0].threshold)
    final = FinalDecisions(columns[:, 0], thresholds, "primary")
    return DecidedBatch(files, tuple(models), columns / 50, columns, final, refusals or {}, decided_at)
