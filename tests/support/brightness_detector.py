"""A third party's detector, quick and unlike any other: it refuses crops of one grey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from monitor.api import CropRefusedError, Detector, FitReport, Provider, Scores, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.api import Floats, Pixels, Progress


@hookimpl
def monitor_register_detectors() -> list[Provider]:
    return [Provider("brightness", "the distance from the mean brightness", "brightness_detector:Brightness")]


class BrightnessSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Brightness(Detector):
    name = "brightness"
    Settings: ClassVar[type[BaseModel]] = BrightnessSettings

    @property
    def input_size(self) -> tuple[int, int]:
        return 8, 8

    def prepare(self, pixels: Pixels) -> Pixels:
        if pixels.min() == pixels.max():
            raise CropRefusedError("blank", "it shows nothing")
        return super().prepare(pixels)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        self.mean = np.float32(crops.mean() / 255)
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        distance = np.abs(crops.mean(axis=(1, 2, 3)) / 255 - self.mean).astype(np.float32)
        return Scores(distance**2, others={"distance": distance}, decision="distance")

    def reconstruct(self, crops: Pixels) -> Floats:
        return np.full(crops.shape, self.mean, dtype=np.float32)

    def latent(self, crops: Pixels) -> Floats:
        mse: Floats = self.score(crops).mse[:, None]
        return mse

    def details(self) -> dict[str, Any]:
        return {"mean_brightness": float(self.mean), "use_of_items": [0.25, 0.75], "health": {"dead_items": []}}

    def save(self, folder: Path) -> None:
        np.save(folder / "mean.npy", self.mean, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        detector = cls(settings, device)
        detector.mean = np.load(folder / "mean.npy", allow_pickle=False)
        return detector
