"""A detector of a few lines that refuses black crops, and a folder with crops for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict

from monitor.api import CropRefusedError, Detector, FitReport, Scores
from monitor.scoring.ensemble import ActiveModel
from monitor.scoring.vote import ScoreScale
from monitor.store.models import ModelRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.api import Floats, Pixels, Progress


class BrightnessSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Brightness(Detector):
    """The brighter, the more abnormal; a fourth channel of zeros stands behind the picture's three."""

    name = "brightness"
    Settings: ClassVar[type[BaseModel]] = BrightnessSettings

    @property
    def input_size(self) -> tuple[int, int]:
        return 8, 12

    def prepare(self, pixels: Pixels) -> Pixels:
        if not pixels.any():
            raise CropRefusedError("black", "it is black")
        return super().prepare(pixels)

    def prepare_batch(self, crops: object, holes: object = None) -> Pixels:
        batch = super().prepare_batch(crops, holes)  # type: ignore[arg-type]
        return np.concatenate([batch, np.zeros_like(batch[..., :1])], axis=-1)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        mean = (crops[..., :3] / 255).mean(axis=(1, 2, 3)).astype(np.float32)
        return Scores(np.square(mean), {"brightness": mean}, decision="brightness")

    def reconstruct(self, crops: Pixels) -> Floats:
        return np.zeros(crops.shape, dtype=np.float32)

    def latent(self, crops: Pixels) -> Floats:
        colours: Floats = (crops[..., :3] / 255).mean(axis=(1, 2)).astype(np.float32)
        return colours

    def save(self, folder: Path) -> None:
        pass

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:  # noqa: ARG003 - it has learned nothing
        return cls(settings, device)


class Scoring(Brightness):
    """It has nothing but scores."""

    reconstruct, latent = Detector.reconstruct, Detector.latent


class Mapped(Scoring):
    """It has a heat map of its own: the brightest colour."""

    def heatmap(self, crops: Pixels) -> Floats:
        brightest: Floats = crops[..., :3].max(axis=-1).astype(np.float32)
        return brightest


@pytest.fixture
def new_model() -> Callable[..., ActiveModel]:
    def make(
        name: str = "brightness-1",
        *,
        threshold: float = 0.5,
        number: int = 1,
        detector_class: type[Detector] = Brightness,
    ) -> ActiveModel:
        detector = detector_class(BrightnessSettings())
        now = datetime.now(UTC)
        row = ModelRow(number, name, detector.name, "0" * 64, name, {}, now, True, None, threshold, number, "fixed")
        return ActiveModel(number, name, "0" * 64, detector, threshold, number, ScoreScale(), row)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 darkish train crops, 10 bright proliv ones, and a test of 12 dark and 8 bright ones, of which one is black."""
    root = tmp_path / "crops"

    def write(part: str, count: int, level: int) -> None:
        (root / part).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((9, 14, 3), level + 2 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(root / part / f"{number:02}.png")

    write("train", 30, 60)
    write("proliv", 10, 160)
    write("test/ne_proliv", 12, 70)
    write("test/proliv", 8, 170)
    Image.new("RGB", (14, 9)).save(root / "test" / "proliv" / "black.png")
    return root
