"""Trains `contrast`: makes up pictures for each fold, fits a network and patchstats, and finds their middle."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.api import DataError, EpochReport, FalseAlarms, KnownProliv
from plugins.detectors.contrast_parts import CLASSES, GRID, USUAL, Part, rows_of
from plugins.detectors.folds import fold_of_each, held_out_of, learned_by
from plugins.detectors.patchstats import PatchStatistics
from plugins.networks.head_training import Examples, train_head
from plugins.pictures.made_up.copies import copies
from plugins.pictures.made_up.mixture import CHAOS, EMPTY, NORMAL, Material, chaos_out_of_nothing, mixture
from plugins.pictures.made_up.placing import NORMAL_SCALE, PROLIV_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# pictures of the network apart from those for stand-ins and for copies.
SEEDS_APART: Final = 1000
FALSE_ALARM_SEED: Final = 250
STAND_IN_SEED: Final = 500
CONFIRMED_SEED: Final = 750
# How many changed copies of labelled false alarms and of confirmed proliv join the pictures, as a share of them: 2,000
# and 1,000 beside 24,000. In a trial with so many, false alarms on scenes that nobody had labelled fell by a third, no
# proliv was missed, and three of a kind that was never drawn were enough to find all others of it.
FALSE_ALARM_COPIES: Final = 1 / 12
CONFIRMED_COPIES: Final = 1 / 24


class Training:
    """One training of `contrast`, fold by fold."""

    def __init__(self, crops: Pixels, known: KnownProliv, settings: Any, seed: int, progress: Progress) -> None:
        """``crops``: uint8 (N, 32, 48, 3), prepared; ``settings``: those of `contrast`."""
        self.reports: list[EpochReport] = []
        self._crops, self._known, self._settings = crops, known, settings
        self._seed, self._progress = seed, progress
        self._false = known.false_alarms or FalseAlarms(crops[:0], np.empty(0, dtype=np.intp))
        self._confirmed = np.zeros(len(known.crops), dtype=np.bool_) if known.confirmed is None else known.confirmed
        generator = np.random.default_rng(seed)
        self._normal_folds = fold_of_each(known.normal_groups, settings.folds, generator)
        self._proliv_folds = fold_of_each(known.groups, settings.folds, generator)
        self._false_folds = self._folds_of_false_alarms(generator)
        self._normal, self._proliv = GRID.features_of(crops), GRID.features_of(known.crops)
        # A hole that was photographed a thousand times counts for more than one that was seen once, but not for a
        # thousand times as much.
        sizes = np.bincount(known.normal_groups)[known.normal_groups]
        self._weights = (1 / np.sqrt(sizes)).astype(np.float32)

    def _folds_of_false_alarms(self, generator: np.random.Generator) -> NDArray[np.intp]:
        """Evenly divided, but for those with near-duplicates among the normal crops, which are in the fold of these."""
        groups, normal = self._false.groups, self._known.normal_groups
        folds = np.empty(len(groups), dtype=np.intp)
        with_twins = np.isin(groups, normal)
        folds_of_groups = dict(zip(normal.tolist(), self._normal_folds.tolist(), strict=True))
        folds[with_twins] = [folds_of_groups[group] for group in groups[with_twins].tolist()]
        alone = np.unique(groups[~with_twins], return_inverse=True)[1].reshape(-1)
        folds[~with_twins] = fold_of_each(alone, self._settings.folds, generator)
        return folds

    def part(self, fold: int) -> Part:
        """What the fold learns from the crops of the others."""
        learned = learned_by(self._normal_folds, fold)
        # Confirmed proliv may be of any kind, so nothing is made of it but copies.
        proliv = self._known.crops[(self._proliv_folds != fold) & ~self._confirmed]
        material = Material(self._crops[learned], self._weights[learned], proliv)
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

    def cross_fitted_normal(self, parts: list[Part]) -> NDArray[np.float64]:
        """``c`` of every labelled false alarm by the fold that did not learn from its group: float64 (F,)."""
        contrasts, features = np.empty(len(self._false.crops)), GRID.features_of(self._false.crops)
        for fold, part in enumerate(parts):
            own = self._false_folds == fold
            contrasts[own] = part.contrast(features[own], self._settings.kappa)
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
        for labelled in self._labelled(fold):
            features.append(labelled.features)
            classes.append(labelled.classes)
        return train_head(
            Examples(np.concatenate(features), np.concatenate(classes)),
            self._held_out(fold),
            classes=CLASSES,
            epochs=epochs,
            seed=self._made_with(fold),
            on_epoch=on_epoch,
        )

    def _labelled(self, fold: int) -> Iterator[Examples]:
        """Changed copies of what people labelled in operation, of the false alarms and proliv of the other folds."""
        seed, pool = self._made_with(fold), self._settings.pool
        others = self._false_folds != fold
        if others.any():
            sizes = np.bincount(self._false.groups)[self._false.groups]
            weights = (1 / np.sqrt(sizes[others])).astype(np.float32)
            count = math.ceil(pool * FALSE_ALARM_COPIES)
            made = copies(self._false.crops[others], weights, count, seed + FALSE_ALARM_SEED, scale=NORMAL_SCALE)
            yield Examples(rows_of(GRID.features_of(made)), np.full(count, NORMAL, dtype=np.int64))
        others = (self._proliv_folds != fold) & self._confirmed
        if others.any():
            sizes = np.bincount(self._known.groups)[self._known.groups]
            weights = (1 / np.sqrt(sizes[others])).astype(np.float32)
            count = math.ceil(pool * CONFIRMED_COPIES)
            made = copies(self._known.crops[others], weights, count, seed + CONFIRMED_SEED, scale=PROLIV_SCALE)
            # Nobody says of which kind it is, so it is shown as both in turn: what counts is that it is not normal.
            yield Examples(rows_of(GRID.features_of(made)), np.resize(np.array([CHAOS, EMPTY], dtype=np.int64), count))

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
        # Not confirmed proliv: one that hardly differs from normal crops would lower the middle for all others.
        proliv, quantile = self._proliv[(self._proliv_folds == fold) & ~self._confirmed], PROLIV_QUANTILE
        if len(proliv) == 0:
            material = Material(self._crops[held_out], self._weights[held_out], self._known.crops[:0])
            count = min(STAND_INS, self._settings.pool)
            chaos = chaos_out_of_nothing(material, count, self._made_with(fold) + STAND_IN_SEED)
            proliv, quantile = GRID.features_of(chaos), MADE_UP_QUANTILE
        return float((low + np.quantile(part.log_distance(proliv), quantile)) / 2)

    def _made_with(self, fold: int) -> int:
        """The seed of a fold's made-up pictures."""
        return SEEDS_APART * self._seed + fold
