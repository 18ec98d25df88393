"""The contract of a threshold rule, and the evidence that it chooses from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from monitor.errors import DataError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.api.arrays import ScoreArray


class ScoreEvidence:
    """The deciding scores that a threshold is chosen from, each with the weight that it counts with.

    ``normal``, float64 (N,): crops known to be ne_proliv that the detector was not trained on. ``proliv``, float64
    (M,): known proliv. ``normal_weights`` (N,) and ``proliv_weights`` (M,), float64, positive, of mean 1: a crop of
    weight 2 stands for twice as many crops as one of weight 1; all 1 where nothing else is given. They are what makes
    a random draw stand for all that it was drawn from, and a hundred pictures of one bleed-out count as one incident.
    ``crops_per_week``: how many crops the line takes in a week; none where nobody knows.
    """

    def __init__(
        self,
        normal: ScoreArray,
        proliv: ScoreArray,
        *,
        normal_weights: ScoreArray | None = None,
        proliv_weights: ScoreArray | None = None,
        crops_per_week: float | None = None,
    ) -> None:
        """Raise `DataError` for a score that is no finite number or a weight that is not positive."""
        self.normal, self.normal_weights = _weighted("normal", normal, normal_weights)
        self.proliv, self.proliv_weights = _weighted("proliv", proliv, proliv_weights)
        self.crops_per_week = crops_per_week


def _weighted(kind: str, scores: ScoreArray, weights: ScoreArray | None) -> tuple[ScoreArray, ScoreArray]:
    import numpy as np

    values = np.asarray(scores, dtype=np.float64)
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or counts.shape != values.shape:
        raise DataError(f"the {kind} scores and their weights must be one to one, got {values.shape}, {counts.shape}")
    if not np.isfinite(values).all():
        raise DataError(f"the {kind} scores hold a value that is not a finite number; score these crops again")
    if not (np.isfinite(counts) & (counts > 0)).all():
        raise DataError(f"the weights of the {kind} scores must be finite and positive")
    return values, counts / counts.mean() if len(counts) else counts


class ThresholdRule(ABC):
    """Chooses a threshold from scores; a crop is proliv when its deciding score >= the threshold.

    ``Settings`` is a frozen pydantic model with ``extra="forbid"``, filled from ``[rules.NAME]``.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @abstractmethod
    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the threshold, finite. Raises `EvidenceMissingError` saying which scores are missing."""
