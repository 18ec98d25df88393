"""A detector of a third party that reconstructs nothing and has no codes: the distance to the nearest known crops.

Its text is installed as a distribution of its own (`tests.support.distributions`), so of the program it imports the
interface of plug-ins and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from monitor.api import (
    Detector,
    FitReport,
    Provider,
    Scores,
    hookimpl,
    mean_squared_errors,
    squared_error_maps,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels, Progress


@hookimpl
def monitor_register_detectors() -> list[Provider]:
    return [Provider("neighbours", "the distance to the nearest known crops", "neighbours_detector:Neighbours")]


class NeighboursSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    neighbours: int = Field(default=3, ge=1, description="How many of the nearest crops count.")


class Neighbours(Detector):
    """The mean distance to the k nearest training crops (T. Cover and P. Hart, IEEE Trans. Inf. Theory 13, 1967)."""

    name = "neighbours"
    Settings: ClassVar[type[BaseModel]] = NeighboursSettings
    known: Pixels

    @property
    def input_size(self) -> tuple[int, int]:
        return 10, 16

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        self.known = crops.copy()
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        nearest = np.sort(self._distances(crops), axis=1)[:, : self.settings.neighbours]
        distance = nearest.mean(axis=1).astype(np.float32)
        mean_crop = (self.known.mean(axis=0) / 255).astype(np.float32)
        return Scores(mean_squared_errors(crops, mean_crop), {"distance": distance}, decision="distance")

    def heatmap(self, crops: Pixels) -> Floats:
        nearest = self.known[self._distances(crops).argmin(axis=1)]
        return squared_error_maps(crops, (nearest / 255).astype(np.float32))

    def save(self, folder: Path) -> None:
        np.save(folder / "known.npy", self.known, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        detector = cls(settings, device)
        detector.known = np.load(folder / "known.npy", allow_pickle=False)
        return detector

    def _distances(self, crops: Pixels) -> NDArray[np.float64]:
        """The root mean square difference from each of M known crops, float64 (N, M)."""
        distances = np.empty((len(crops), len(self.known)))
        for row, crop in zip(distances, crops.astype(np.float64), strict=True):
            row[:] = np.sqrt(np.square((crop - self.known) / 255).mean(axis=(1, 2, 3)))
        return distances
