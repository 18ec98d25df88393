"""The detector ``patchstats``: local statistics on a grid over the hole, each held against what is usual there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from monitor.api import DataError, Detector, FitReport, Scores
from plugins.regions import Regions, padded, pool, squared_gradients

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from monitor.api import Floats, Pixels, Progress

PICTURE: Final = "picture.safetensors"
BATCH: Final = 128
"""Crops that are measured at once: few enough for the processor's caches."""

FEATURES: Final = (
    "brightness", "red_green", "blue_yellow", "gradient_down", "gradient_across", "detail", "colour_gradient",
)  # fmt: skip
USUAL_BRIGHTNESS: Final = np.float32(0.5)
LEAST_BRIGHTNESS: Final = np.float32(0.05)
ENERGY_FLOOR: Final = np.float32(1e-5)
"""In squared intensity; about what the rounding to 256 levels leaves in an even surface."""


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
        default=4, ge=1, le=64, description="Into how many kinds of scene the training crops are parted, at most."
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
            _middle(self.height, self.cell, self.centre_height) and _middle(self.width, self.cell, self.centre_width)
        ):
            raise ValueError("no cell has its middle in so small a centre; raise centre_height or centre_width")
        return self


class PatchStatistics(Detector):
    """Measures a few local statistics in each cell of a grid over the hole, and how far each is from the usual.

    1. The crop is resized and its intensities are divided by its median brightness, so that the light's level
       does not matter.
    2. Each cell gets seven features: mean brightness ``L = (r + g + b) / 3``, the mean opponent colours ``r - g``
       and ``b - (r + g) / 2``, and the logarithms of four energies: the squared slopes of L down and across, its
       squared Laplacian (fine detail), and the squared gradients of the opponent colours.
    3. The training crops are parted into a few kinds of scene (k-means on their features): a billet's head, a frozen
       crust, other light. For each kind and cell a Gaussian is learned: mean m, covariance S, shrunk towards the mean
       covariance of all cells. A crop is held against the kind that it is nearest to. The distance of cell c is
       Mahalanobis', per feature:
       ``d_c = (x - m)' S^-1 (x - m) / 7``; it is about 1 for a usual cell.
    4. The deciding score ``distance`` is a trimmed geometric mean over the cells in the centre,
       ``exp(mean_c log(d_c + 0.1))`` without the farthest 40 % (``trimmed``): what is odd in most places counts, not
       what is very odd in a few, as a tool's edge or a reflection is.

    It learns each crop twice, as it is and under a made-up cast, each channel brighter or darker by up to
    ``colour_cast``: what lamps and cameras may do tomorrow counts as usual.

    It is two-sided: a surface that is too smooth, as that of an empty hole, is as far from the usual as one that is
    too rough. A Gaussian for each place of the picture is the idea of PaDiM (Defard et al., arXiv:2011.08785), whose
    features come from a deep network; these are measured.

    ``mse`` holds the resized crop against the mean training crop at the same brightness, which is its
    "reconstruction".
    """

    name = "patchstats"
    Settings: ClassVar[type[BaseModel]] = PatchStatisticsSettings

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, device)
        self._regions: Regions | None = None
        self._picture: Floats = np.zeros((*self.input_size, 3), dtype=np.float32)
        self._rows = _middle(self.settings.height, self.settings.cell, self.settings.centre_height)
        self._columns = _middle(self.settings.width, self.settings.cell, self.settings.centre_width)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:  # noqa: ARG002 - nothing is stopped early
        """Learn the usual statistics from prepared ne_proliv crops, uint8 (N, H, W, 3), in one pass."""
        total = np.zeros(crops.shape[1:], dtype=np.float64)
        features = []
        generator = np.random.default_rng(seed)
        for images, _ in self._normalized(crops):
            total += images.sum(axis=0, dtype=np.float64)
            features.append(self._features(images))
            if self.settings.colour_cast:
                features.append(self._features(_under_a_cast(images, self.settings.colour_cast, generator)))
        self._regions = Regions.learn(
            _joined(features, (0, 0)), shrinkage=self.settings.shrinkage, kinds=self.settings.kinds, seed=seed
        )
        self._picture = (total / len(crops)).astype(np.float32)
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse``, and ``distance``, which decides."""
        regions = self._trained()
        errors, distances = [], []
        for images, gain in self._normalized(crops):
            difference = images - self._picture
            errors.append(np.einsum("nhwc,nhwc->n", difference, difference) * gain**2 / self._picture.size)
            distances.append(regions.distance(self._features(images), trimmed=self.settings.trimmed))
        return Scores(_joined(errors, ()), {"distance": _joined(distances, ())}, decision="distance")

    def reconstruct(self, crops: Pixels) -> Floats:
        """The mean training crop at the brightness of each crop: float32 (N, H, W, 3), 0-1."""
        self._trained()
        pictures = [self._picture * gain[:, None, None, None] for _, gain in self._normalized(crops)]
        return _joined(pictures, self._picture.shape).clip(0, 1)

    def latent(self, crops: Pixels) -> Floats:
        """The logarithms of the cells' distances: float32 (N, C), row by row from the top left."""
        regions = self._trained()
        trimmed = self.settings.trimmed
        codes = [
            regions.log_distances(self._features(images), trimmed=trimmed) for images, _ in self._normalized(crops)
        ]
        return _joined(codes, (self._cells,))

    def details(self) -> Mapping[str, Any]:
        """The grid, the features and the kinds of scene."""
        cells = f"{len(self._rows)} rows of {len(self._columns)}"
        return {"cells": cells, "features": list(FEATURES), "kinds of scene": len(self._trained().mean)}

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        self._trained().save(folder)
        save_file({"picture": self._picture}, folder / PICTURE)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read it back; raises `DataError` when it is damaged or belongs to other settings."""
        detector = cls(settings, device)
        detector._regions = Regions.load(folder, cells=detector._cells, features=len(FEATURES))
        try:
            detector._picture = load_file(folder / PICTURE)["picture"].reshape(*detector.input_size, 3)
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"{folder / PICTURE}: is no mean picture of these settings: {error}") from error
        return detector

    @property
    def _cells(self) -> int:
        return len(self._rows) * len(self._columns)

    def _trained(self) -> Regions:
        if self._regions is None:
            raise DataError("this detector has not been trained yet; fit it or load a trained one")
        return self._regions

    def _normalized(self, crops: Pixels) -> Iterator[tuple[Floats, Floats]]:
        """Crops at the usual brightness, float32 (n, H, W, 3), in batches, with the gains (n,) that undo it."""
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            # Every second pixel, both ways, has the same median for a fourth of the work.
            levels = batch[:, ::2, ::2].sum(axis=3, dtype=np.uint16).reshape(len(batch), -1)
            brightness = np.median(levels, axis=1).astype(np.float32) / np.float32(765)
            gain = np.maximum(brightness, LEAST_BRIGHTNESS) / USUAL_BRIGHTNESS
            yield batch * (np.float32(1 / 255) / gain)[:, None, None, None], gain

    def _features(self, images: Floats) -> Floats:
        """The features of the centre's cells, float32 (n, C, K), of images at the usual brightness."""
        cell = self.settings.cell
        top, left = self._rows[0] * cell, self._columns[0] * cell
        height, width = len(self._rows) * cell, len(self._columns) * cell
        # With one more pixel all around, for differences across the centre's border.
        centre = padded(images)[:, top : top + height + 2, left : left + width + 2]
        red, green, blue = (np.ascontiguousarray(centre[..., channel]) for channel in range(3))
        brightness = (red + green + blue) / np.float32(3)
        red_green = red - green
        blue_yellow = blue - (red + green) / np.float32(2)
        energies = [
            *squared_gradients(brightness),
            _squared_laplacian(brightness),
            np.add(*squared_gradients(red_green)) + np.add(*squared_gradients(blue_yellow)),
        ]
        features = [pool(_inner(values), cell) for values in (brightness, red_green, blue_yellow)]
        features += [np.log(pool(values, cell) + ENERGY_FLOOR) for values in energies]
        return np.stack(features, axis=2)


def _middle(length: int, cell: int, share: float) -> range:
    """The cells along a side of ``length`` pixels whose middle lies in the middle ``share`` of it."""
    count = length // cell
    inside = [index for index in range(count) if abs((index + 0.5) / count - 0.5) <= share / 2]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def _under_a_cast(images: Floats, cast: float, generator: np.random.Generator) -> Floats:
    """Images, float32 (n, H, W, 3), with each channel multiplied by its own random factor within 1 +- ``cast``."""
    gains = generator.uniform(1 - cast, 1 + cast, size=(len(images), 1, 1, 3)).astype(np.float32)
    # Back to the usual brightness, as every crop is that is scored.
    tinted = images * gains
    level = np.median(tinted[:, ::2, ::2].sum(axis=3).reshape(len(images), -1), axis=1) / np.float32(3)
    gain = (np.maximum(level, LEAST_BRIGHTNESS) / USUAL_BRIGHTNESS).astype(np.float32)
    evened: Floats = tinted / gain[:, None, None, None]
    return evened


def _inner(values: Floats) -> Floats:
    return values[:, 1:-1, 1:-1]


def _squared_laplacian(values: Floats) -> Floats:
    """The square of four times a pixel less its four neighbours; (n, h + 2, w + 2) -> (n, h, w)."""
    around = values[:, 2:, 1:-1] + values[:, :-2, 1:-1] + values[:, 1:-1, 2:] + values[:, 1:-1, :-2]
    detail = np.float32(4) * _inner(values) - around
    return detail * detail


def _joined(batches: list[Any], shape: tuple[int, ...]) -> Floats:
    if not batches:
        return np.empty((0, *shape), dtype=np.float32)
    return np.concatenate(batches).astype(np.float32)
