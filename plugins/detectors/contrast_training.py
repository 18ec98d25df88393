"""Trains `contrast`: makes up pictures for each fold, fits a network and patchstats, and finds their middle."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.api import DataError, EpochReport, KnownProliv
from plugins.detectors.contrast_parts import CLASSES, GRID, USUAL, Part, rows_of
from plugins.detectors.folds import fold_of_each, held_out_of, learned_by
from plugins.detectors.patchstats import PatchStatistics
from plugins.networks.head_training import Examples, train_head
from plugins.pictures.made_up.mixture import CHAOS, NORMAL, Material, chaos_out_of_nothing, mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Pixels, Progress
    from plugins.networks.head import Head

log = logging.getLogger(__name__)

# The middle lies between these quantiles of the logarithms of patchstats' distance.
NORMAL_QUANTILE: Final = 0.99
PROLIV_QUANTILE: Final = 0.01
# Some made-up chaos is hardly to be seen. Measured with real proliv beside it, its lowest tenth reaches as far down as
# the lowest hundredth of that: 0.54 to 0.67 and 0.49 to 0.68.
MADE_UP_QUANTILE: Final = 0.1
# How many pictures of made-up chaos stand in for proliv where a fold holds none out, at most.
STAND_INS: Final = 512
# Keeps the numbers that are drawn for one seed apart from those for the next one, for every fold, and those for the
# pictures of the network apart from those for stand-ins.
SEEDS_APART: Final = 1000


class Training:
    """One training of `contrast`, fold by fold."""

    def __init__(self, crops: Pixels, known: KnownProliv, settings: Any, seed: int, progress: Progress) -> None:
        """``crops``: uint8 (N, 32, 48, 3), prepared; ``settings``: those of `contrast`."""
        self.reports: list[EpochReport] = []
        self._crops, self._known, self._settings = crops, known, settings
        self._seed, self._progress = seed, progress
        generator = np.random.default_rng(seed)
        self._normal_folds = fold_of_each(known.normal_groups, settings.folds, generator)
        self._proliv_folds = fold_of_each(known.groups, settings.folds, generator)
        self._normal, self._proliv = GRID.features_of(crops), GRID.features_of(known.crops)
        # A hole that was photographed a thousand times counts for more than one that was seen once, but not for a
        # thousand times as much.
        sizes = np.bincount(known.normal_groups)[known.normal_groups]
        self._weights = (1 / np.sqrt(sizes)).astype(np.float32)

    def part(self, fold: int) -> Part:
        """What the fold learns from the crops of the others."""
        learned = learned_by(self._normal_folds, fold)
        material = Material(self._crops[learned], self._weights[learned], self._known.crops[self._proliv_folds != fold])
        patchstats = PatchStatistics(USUAL)
        patchstats.fit(material.normal, validation=material.normal[:0], seed=self._seed, progress=self._progress)
        head = self._head(fold, material)
        middle = self._middle(fold, Part(head, patchstats, 0.0))
        log.info(
            "fold %d: made of %d crops and %d proliv; middle %.3f",
            fold + 1, len(material.normal), len(material.proliv), middle,
        )  # fmt: skip
        return Part(head, patchstats, middle)

    def cross_fitted(self, parts: list[Part]) -> NDArray[np.float64]:
        """``c`` of every known proliv by the fold that did not learn from its group: float64 (P,)."""
        contrasts = np.empty(len(self._proliv))
        for fold, part in enumerate(parts):
            own = self._proliv_folds == fold
            # The fold's own middle was found with these very crops, so the others' stands in for it.
            others = np.mean([other.middle for number, other in enumerate(parts) if number != fold])
            contrasts[own] = part.contrast(self._proliv[own], self._settings.kappa, float(others))
        return contrasts

    def _head(self, fold: int, material: Material) -> Head:
        """The network, from made-up pictures of the crops and proliv that the fold learns from."""
        epochs, folds = self._settings.epochs, self._settings.folds

        def on_epoch(loss: float, validation_loss: float) -> None:
            report = EpochReport(len(self.reports) + 1, epochs * folds, loss, validation_loss)
            if not (math.isfinite(loss) and math.isfinite(validation_loss)):
                raise DataError(
                    f"the training diverged: in epoch {report.epoch} the training loss is {loss} and the validation "
                    f"loss {validation_loss}; raise pool or train with another seed"
                )
            self.reports.append(report)
            self._progress(report)

        features, classes = [], []
        for made in mixture(material, self._settings.pool, self._made_with(fold)):
            features.append(rows_of(GRID.features_of(made.pictures)))
            classes.append(made.classes)
        return train_head(
            Examples(np.concatenate(features), np.concatenate(classes)),
            self._held_out(fold),
            classes=CLASSES,
            epochs=epochs,
            seed=self._made_with(fold),
            on_epoch=on_epoch,
        )

    def _held_out(self, fold: int) -> Examples:
        """Real crops, none of them made up, that the fold does not learn from, and the proliv among them."""
        normal = self._normal[held_out_of(self._normal_folds, fold)]
        proliv = self._proliv[self._proliv_folds == fold]
        classes = np.repeat(np.array([NORMAL, CHAOS], dtype=np.int64), [len(normal), len(proliv)])
        return Examples(rows_of(np.concatenate([normal, proliv])), classes)

    def _middle(self, fold: int, part: Part) -> float:
        """Halfway between the highest held-out normal crops and the lowest proliv."""
        held_out = held_out_of(self._normal_folds, fold)
        low = np.quantile(part.log_distance(self._normal[held_out]), NORMAL_QUANTILE)
        proliv, quantile = self._proliv[self._proliv_folds == fold], PROLIV_QUANTILE
        if len(proliv) == 0:
            material = Material(self._crops[held_out], self._weights[held_out], self._known.crops[:0])
            count = min(STAND_INS, self._settings.pool)
            chaos = chaos_out_of_nothing(material, count, self._made_with(fold) + SEEDS_APART // 2)
            proliv, quantile = GRID.features_of(chaos), MADE_UP_QUANTILE
        return float((low + np.quantile(part.log_distance(proliv), quantile)) / 2)

    def _made_with(self, fold: int) -> int:
        """The seed of a fold's made-up pictures."""
        return SEEDS_APART * self._seed + fold
