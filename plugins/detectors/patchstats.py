"""The detector ``patchstats``: local statistics on a grid over the hole, each compared with what is usual there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from monitor.api import DataError, Detector, FitReport, Scores
from plugins.detectors.regions import Regions
from plugins.networks.allocation import keep_freed_memory
from plugins.pictures.brightness import LEAST_BRIGHTNESS, USUAL_BRIGHTNESS, errors_in_its_light, gains, scales
from plugins.pictures.cell_features import FEATURES, CellGrid, batches, middle
from plugins.pictures.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitor.api import Floats, Pixels, Progress
    from plugins.pictures.cell_features import MeasuredCrops

PICTURE: Final = "picture.safetensors"


class PatchStatisticsSettings(BaseModel):
    """Settings of `PatchStatistics`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=32, ge=8, le=256, description="Rows that crops are resized to.")
    width: int = Field(default=48, ge=8, le=256, description="Columns that crops are resized to.")
    cell: int = Field(default=4, ge=2, le=64, description="Side of a square cell, in pixels of the resized crop.")
    centre_height: float = Field(
        default=0.8, gt=0, le=1, description="Cells count whose middle lies in this share of the rows."
    )
    centre_width: float = Field(default=0.5, gt=0, le=1, description="And in this share of the columns.")
    colour_cast: float = Field(
        default=0.08, ge=0, lt=1, description="Each crop is also learned with its channels changed by up to this share."
    )
    kinds: int = Field(
        default=4, ge=1, le=64, description="Into how many kinds of scene the training crops are divided, at most."
    )
    trimmed: float = Field(
        default=0.4, ge=0, lt=1, description="The share of the cells, the farthest from the usual, that does not count."
    )
    shrinkage: float = Field(
        default=0.05, ge=0, le=1, description="The part of a cell's covariance that is taken from all cells together."
    )

    @model_validator(mode="after")
    def _whole_cells_in_the_middle(self) -> Self:
        if self.height % self.cell or self.width % self.cell:
            raise ValueError("height and width must be multiples of cell")
        if not (
            middle(self.height, self.cell, self.centre_height) and middle(self.width, self.cell, self.centre_width)
        ):
            raise ValueError("no cell has its middle in so small a centre; raise centre_height or centre_width")
        return self


class PatchStatistics(Detector):
    """Measures a few local statistics in each cell of a grid over the hole, and how far each is from the usual.

    1. The crop is resized and its intensities are divided by its median brightness, so that the level of the light
       does not matter.
    2. Each cell gets seven features: mean brightness ``L = (r + g + b) / 3``, the mean opponent colours ``r - g``
       and ``b - (r + g) / 2``, and the logarithms of four energies: the squared slopes of L down and across, its
       squared Laplacian (fine detail), and the squared gradients of the opponent colours.
    3. The training crops are divided into a few kinds of scene (k-means on their features): a billet's head, a frozen
       crust, other light. For each kind and cell a Gaussian is learned: mean m, covariance S, shrunk towards the mean
       covariance of all cells. A crop is compared with the kind that it is nearest to. The distance of cell c is
       Mahalanobis', per feature:
       ``d_c = (x - m)' S^-1 (x - m) / 7``; it is about 1 for a usual cell.
    4. The deciding score ``distance`` is a trimmed geometric mean over the cells in the centre,
       ``exp(mean_c log(d_c + 0.1))`` without the farthest 40 % (``trimmed``): what is abnormal in most places counts,
       not what is very abnormal in a few, such as a tool's edge or a reflection.

    It learns each crop twice, as it is and under a made-up cast, each channel brighter or darker by up to
    ``colour_cast``, so that changes of lamps and cameras count as usual.

    It is two-sided: a surface that is too smooth, such as that of an empty hole, is as far from the usual as one that
    is too rough. A Gaussian for each place of the picture is the idea of PaDiM (Defard et al., arXiv:2011.08785), whose
    features come from a deep network; these are measured.

    ``mse`` compares the resized crop with the mean training crop at the same brightness, which is its
    "reconstruction".
    """

    name = "patchstats"
    Settings: ClassVar[type[BaseModel]] = PatchStatisticsSettings

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, device)
        self._regions: Regions | None = None
        self._picture: Floats = np.zeros((*self.input_size, 3), dtype=np.float32)
        share = self.settings.centre_height, self.settings.centre_width
        self.grid = CellGrid(self.input_size, cell=self.settings.cell, share=share)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops: uint8 (N, H, W, 3)."""
        return resized(crops, size=self.input_size)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:  # noqa: ARG002 - nothing is stopped early
        """Learn the usual statistics from prepared ne_proliv crops, uint8 (N, H, W, 3), in one pass."""
        total = np.zeros(crops.shape[1:], dtype=np.float64)
        features = []
        generator = np.random.default_rng(seed)
        for batch in batches(crops):
            scale = scales(gains(batch))
            total += (batch * scale[:, None, None, None]).sum(axis=0, dtype=np.float64)
            colours = self.grid.colours(batch)
            features.append(self.grid.features(colours, scale))
            if self.settings.colour_cast:
                cast, level = _cast(batch, scale, self.settings.colour_cast, generator)
                features.append(self.grid.features(colours * cast.T[:, :, None, None], scale / level))
        self._regions = Regions.learn(
            _joined(features, (0, 0)), shrinkage=self.settings.shrinkage, kinds=self.settings.kinds, seed=seed
        )
        self._picture = (total / len(crops)).astype(np.float32)
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse``, and ``distance``, which decides."""
        return self.score_measured(self.grid.measure(crops))

    def measurement(self) -> CellGrid:
        """The cells in the centre."""
        return self.grid

    def score_measured(self, measured: MeasuredCrops) -> Scores:
        """The same of crops that were measured on this grid or a larger one."""
        regions, trimmed = self.regions, self.settings.trimmed
        errors, distances = [], []
        for crops, gain, scale, features in measured.on(self.grid):
            errors.append(errors_in_its_light(crops, self._picture, gain, scale))
            distances.append(regions.distance(features, trimmed=trimmed))
        return Scores(_joined(errors, ()), {"distance": _joined(distances, ())}, decision="distance")

    @property
    def picture(self) -> Floats:
        """The mean training crop at the usual brightness: float32 (H, W, 3), 0-1."""
        return self._picture

    def reconstruct(self, crops: Pixels) -> Floats:
        """The mean training crop at the brightness of each crop: float32 (N, H, W, 3), 0-1."""
        _ = self.regions
        pictures = [self._picture * gains(batch)[:, None, None, None] for batch in batches(crops)]
        return _joined(pictures, self._picture.shape).clip(0, 1)

    def latent(self, crops: Pixels) -> Floats:
        """The logarithms of the cells' distances: float32 (N, C), row by row from the top left."""
        regions = self.regions
        trimmed = self.settings.trimmed
        codes = [regions.log_distances(one.features, trimmed=trimmed) for one in self.grid.measure(crops).batches]
        return _joined(codes, (len(self.grid),))

    def details(self) -> Mapping[str, Any]:
        """The grid, the features and the kinds of scene."""
        cells = f"{len(self.grid.rows)} rows of {len(self.grid.columns)}"
        return {"cells": cells, "features": list(FEATURES), "kinds of scene": len(self.regions.mean)}

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        self.regions.save(folder)
        (folder / PICTURE).write_bytes(save({"picture": self._picture}))

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read it back; raises `DataError` when it is damaged or belongs to other settings."""
        keep_freed_memory()
        detector = cls(settings, device)
        detector._regions = Regions.load(folder, cells=len(detector.grid), features=len(FEATURES))
        try:
            detector._picture = load_file(folder / PICTURE)["picture"].reshape(*detector.input_size, 3)
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"{folder / PICTURE}: is no mean picture of these settings: {error}") from error
        return detector

    @property
    def regions(self) -> Regions:
        """What is usual in each cell; raises `DataError` before the training."""
        if self._regions is None:
            raise DataError("this detector has not been trained yet; fit it or load a trained one")
        return self._regions


def _cast(batch: Pixels, scale: Floats, most: float, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """A random factor within 1 +- ``most`` for each channel of crops, (n, 3), and how it changes their gain, (n,)."""
    cast = generator.uniform(1 - most, 1 + most, size=(len(batch), 1, 1, 3)).astype(np.float32)
    tinted = batch[:, ::2, ::2] * (scale[:, None, None, None] * cast)
    level = np.median(tinted.sum(axis=3).reshape(len(batch), -1), axis=1) / np.float32(3)
    return cast[:, 0, 0], (np.maximum(level, LEAST_BRIGHTNESS) / USUAL_BRIGHTNESS).astype(np.float32)


def _joined(batches: list[Any], shape: tuple[int, ...]) -> Floats:
    if not batches:
        return np.empty((0, *shape), dtype=np.float32)
    return np.concatenate(batches).astype(np.float32)
