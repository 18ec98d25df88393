"""The detector ``contrast``: is there chaos or emptiness in the middle? Not: is this unlike all that was seen?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from monitor.api import DataError, Detector, FitReport, KnownProliv, Lesson, Scores
from plugins.detectors.contrast_parts import GRID, SIZE, Part, rows_of
from plugins.networks.allocation import keep_freed_memory
from plugins.pictures.brightness import errors_in_its_light, gains, scales
from plugins.pictures.cell_features import batches
from plugins.pictures.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels, Progress, Runtime
    from plugins.pictures.cell_features import CellGrid, MeasuredCrops

log = logging.getLogger(__name__)

LEARNED: Final = "contrast.safetensors"
# Where proliv begins: exp(0).
NATURAL_THRESHOLD: Final = 1.0
# Keeps the exponential of a crop unlike anything within the numbers of float32.
MOST: Final = 80.0


class ContrastSettings(BaseModel):
    """Settings of `Contrast`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: int = Field(
        default=24_000, ge=256, le=1_000_000, description="How many pictures are made up for each fold's network."
    )
    epochs: int = Field(default=14, ge=1, le=1_000, description="Passes of each fold's network over its pictures.")
    kappa: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="How much patchstats' distance counts; more finds unknown kinds of proliv.",
    )
    folds: int = Field(
        default=2, ge=2, le=10, description="Parts of the crops, each left out by one of as many networks."
    )


class Contrast(Detector):
    """Adds what a network knows about proliv to how far `patchstats` finds a crop from the usual.

    A detector that knows normal crops alone alarms on everything new: a tool, a pipe, other light. This one has also
    learned what proliv is, from the known ones and from made-up pictures (`plugins.pictures.made_up`), and what is new
    without being proliv. It is added to patchstats and not put in its place, because a network is silent about kinds of
    proliv that it was never shown.

    1. The 7 features of `patchstats` are measured in all 96 cells of the crop.
    2. A network of three layers answers with the logarithm of the odds of chaos or an empty hole,
       ``h = log(exp(chaos) + exp(empty)) - normal``.
    3. ``c = h / 3 + kappa (log distance - T)``, the distance being that of `patchstats`, and T the middle between what
       it gives held-out normal crops (0.99 quantile) and held-out proliv (0.01 quantile).
    4. Both are learned once for each fold, from the groups of near-duplicates and the holes of the other folds, and c
       is the mean over the folds. The deciding score ``contrast`` is exp(c), and proliv begins at 1.

    The score of a known proliv that the threshold is chosen from is that of the fold that did not learn from its hole.
    Trained again in operation, the networks also learn from changed copies of labelled false alarms and of confirmed
    proliv, each fold from those of the others.
    ``mse`` compares the crop with the mean training crop at the same brightness, as that of `patchstats` does.
    """

    name = "contrast"
    Settings: ClassVar[type[BaseModel]] = ContrastSettings
    learns_from_proliv = True
    natural_threshold = NATURAL_THRESHOLD

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, device)
        self._parts: list[Part] = []
        self._picture: Floats = np.zeros((*SIZE, 3), dtype=np.float32)
        self._known = 0

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return SIZE

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops: uint8 (N, H, W, 3)."""
        return resized(crops, size=SIZE)

    def fit(
        self,
        crops: Pixels,
        *,
        validation: Pixels,  # noqa: ARG002 - the folds hold out crops of their own, and nothing is stopped early
        seed: int,
        progress: Progress,
        proliv: KnownProliv | None = None,
    ) -> FitReport:
        """Learn from prepared crops, uint8 (N, H, W, 3), and from the known proliv."""
        # torch is loaded for training alone.
        from plugins.detectors.contrast_training import Training

        if len(crops) == 0:
            raise DataError("there are no crops to learn what is usual from")
        known = proliv or _nothing_known(crops)
        if len(known.crops) == 0:
            log.warning(
                "%s: there is no proliv to learn from, so it learns from made-up pictures alone, and its threshold is "
                "%g until proliv is known; add some to proliv/ and train again", self.name, NATURAL_THRESHOLD,
            )  # fmt: skip
        training = Training(crops, known, self.settings, seed, progress)
        self._parts = [training.part(fold) for fold in range(self.settings.folds)]
        # Nearly the mean of all crops: each is in the picture of every fold but one.
        self._picture = np.mean([part.patchstats.picture for part in self._parts], axis=0, dtype=np.float32)
        self._known = len(known.crops)
        false_alarms = known.false_alarms
        return FitReport(
            tuple(training.reports),
            len(training.reports),
            cross_fitted=_scores(self._errors(known.crops), training.cross_fitted(self._parts)),
            cross_fitted_normal=None
            if false_alarms is None
            else _scores(self._errors(false_alarms.crops), training.cross_fitted_normal(self._parts)),
        )

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse``, and ``contrast``, which decides."""
        return self.score_measured(GRID.measure(crops))

    def measurement(self) -> CellGrid:
        """All cells."""
        return GRID

    def score_measured(self, measured: MeasuredCrops) -> Scores:
        """The same of crops that were measured."""
        parts, kappa = self._trained(), self.settings.kappa
        errors, contrasts = [np.empty(0, dtype=np.float32)], [np.empty(0)]
        for crops, gain, scale, features in measured.on(GRID):
            errors.append(errors_in_its_light(crops, self._picture, gain, scale))
            contrasts.append(np.mean([part.contrast(features, kappa) for part in parts], axis=0))
        return _scores(np.concatenate(errors), np.concatenate(contrasts))

    def reconstruct(self, crops: Pixels) -> Floats:
        """The mean training crop at the brightness of each crop: float32 (N, H, W, 3), 0-1."""
        self._trained()
        light = [np.empty(0, dtype=np.float32), *(gains(batch) for batch in batches(crops))]
        pictures: Floats = (self._picture * np.concatenate(light)[:, None, None, None]).clip(0, 1)
        return pictures

    def heatmap(self, crops: Pixels) -> Floats:
        """How much less c would be without what each cell shows: float32 (N, H, W), >= 0."""
        parts, kappa = self._trained(), self.settings.kappa
        by_cell = [
            np.mean([part.by_cell(batch.features, kappa) for part in parts], axis=0)
            for batch in GRID.measure(crops).batches
        ]
        cells = np.concatenate([np.empty((0, len(GRID))), *by_cell]).reshape(
            len(crops), len(GRID.rows), len(GRID.columns)
        )
        return cells.repeat(GRID.cell, axis=1).repeat(GRID.cell, axis=2).astype(np.float32)

    def latent(self, crops: Pixels) -> Floats:
        """The networks' last hidden numbers: float32 (N, D)."""
        parts, rows = self._trained(), rows_of(GRID.features_of(crops))
        return np.concatenate([part.head.codes(rows) for part in parts], axis=1)

    def lessons(self, crops: Pixels, *, proliv: Pixels, seed: int) -> Sequence[Lesson]:
        """Each kind of made-up picture; chaos is made out of nothing where the detector has learned from no proliv."""
        # torch is loaded for them alone.
        from plugins.pictures.made_up.kinds import kinds, of_kind
        from plugins.pictures.made_up.mixture import CLASSES, NORMAL

        known = proliv if self._known else proliv[:0]
        return [
            Lesson(
                kind.name,
                kind.sentence,
                taught_as=CLASSES[kind.taught_as],
                proliv=kind.taught_as != NORMAL,
                pictures=of_kind(kind, crops, known, seed),
            )
            for kind in kinds(proliv=len(known) > 0)
        ]

    def details(self) -> Mapping[str, Any]:
        """What it learned proliv from, and where the usual ends in each fold."""
        return {
            "proliv learned from": self._known,
            "chaos": "known proliv, transplanted and made up" if self._known else "made up alone",
            "logarithms of patchstats' middles": [round(part.middle, 3) for part in self._trained()],
        }

    def save(self, folder: Path) -> None:
        """Write what was learned, a folder for each fold."""
        parts = self._trained()
        for number, part in enumerate(parts, start=1):
            part.save(folder / f"fold-{number}")
        learned = {
            "picture": self._picture,
            "middles": np.array([part.middle for part in parts]),
            "known": np.array(self._known),
        }
        (folder / LEARNED).write_bytes(save(learned))

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read it back; raises `DataError` when it is damaged or belongs to other settings."""
        keep_freed_memory()
        detector = cls(settings, device)
        try:
            learned = load_file(folder / LEARNED)
            detector._picture = learned["picture"].reshape(*SIZE, 3)
            middles = learned["middles"].reshape(detector.settings.folds).tolist()
            detector._known = int(learned["known"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(
                f"{folder / LEARNED}: is damaged or belongs to other settings: {error}; train the detector again"
            ) from error
        detector._parts = [
            Part.load(folder / f"fold-{number}", middle) for number, middle in enumerate(middles, start=1)
        ]
        return detector

    def use_runtime(self, runtime: Runtime) -> str:
        """Let numpy compute the networks, or torch or ONNX Runtime where ``pipeline.runtime`` names one of them.

        `auto` is numpy: the others save less than a microsecond a crop, and take a second to load.
        """
        parts = self._trained()
        self._parts = [part._replace(logits=None) for part in parts]
        if runtime == "auto":
            return "numpy"
        # Both load torch.
        from plugins.networks.head_runtimes import by_onnx, by_torch
        from plugins.networks.runtimes import NotExportedError, say_once

        if runtime == "onnx":
            try:
                self._parts = [part._replace(logits=by_onnx(part.head)) for part in parts]
            except NotExportedError as error:
                say_once(f"the detector {self.name} is computed by numpy, not by ONNX Runtime: {error}")
                return "numpy"
            return "ONNX Runtime on cpu"
        self._parts = [part._replace(logits=by_torch(part.head, self.device)) for part in parts]
        return f"torch on {self.device}"

    def _trained(self) -> list[Part]:
        if not self._parts:
            raise DataError("this detector has not been trained yet; fit it or load a trained one")
        return self._parts

    def _errors(self, crops: Pixels) -> Floats:
        """The mse of crops."""
        errors = [np.empty(0, dtype=np.float32)]
        for batch in batches(crops):
            gain = gains(batch)
            errors.append(errors_in_its_light(batch, self._picture, gain, scales(gain)))
        return np.concatenate(errors)


def _nothing_known(crops: Pixels) -> KnownProliv:
    """No proliv, and every crop a group of its own: whoever calls `fit` without a word has said no more."""
    return KnownProliv(crops[:0], np.empty(0, dtype=np.intp), np.arange(len(crops)))


def _scores(errors: Floats, contrasts: NDArray[np.float64]) -> Scores:
    deciding = np.exp(contrasts.clip(-MOST, MOST)).astype(np.float32)
    return Scores(errors.astype(np.float32), {"contrast": deciding}, decision="contrast")
