"""What `contrast` learns in one fold: a network that knows what proliv is, and `patchstats`, which knows the usual."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

from plugins.detectors.patchstats import PatchStatistics
from plugins.networks.head import Head
from plugins.pictures.cell_features import FEATURES, CellGrid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats

SIZE: Final = (32, 48)
CELL: Final = 4
# All cells of a crop, for the network.
GRID: Final = CellGrid(SIZE, cell=CELL)
# Twice the cast that patchstats learns by itself. With 0.08, every fifth normal crop was an alarm where each channel
# was off by 12 %, a cast that the network has learned: it could not outvote the distance.
COLOUR_CAST: Final = 0.16
USUAL: Final = PatchStatistics.Settings.model_validate(
    {"height": SIZE[0], "width": SIZE[1], "cell": CELL, "colour_cast": COLOUR_CAST}
)
# Where the cells of patchstats, those in the middle, stand among all.
PLACES: Final = PatchStatistics(USUAL).grid.places_in(GRID)
# Normal, chaos and empty hole, in this order. `plugins.pictures.made_up.mixture` has their names, but needs torch.
CLASSES: Final = 3
# The network's odds count for a third. It has seen made-up pictures, and is surer of itself than it should be.
ODDS: Final = 3


class Part(NamedTuple):
    """One fold's network and patchstats.

    ``middle``: the logarithm of the distance halfway between what is held out of normal crops and of proliv.
    ``logits``: computes `Head.logits` in place of numpy.
    """

    head: Head
    patchstats: PatchStatistics
    middle: float
    logits: Callable[[Floats], Floats] | None = None

    def odds(self, features: Floats) -> NDArray[np.float64]:
        """The logarithm of the odds of proliv, chaos or empty hole, of features float32 (N, C, K): float64 (N,)."""
        return log_odds((self.logits or self.head.logits)(rows_of(features)))

    def log_distance(self, features: Floats) -> NDArray[np.float64]:
        """The logarithm of patchstats' distance: float64 (N,)."""
        trimmed = self.patchstats.settings.trimmed
        return self.patchstats.regions.log_distance(features[:, PLACES], trimmed=trimmed)

    def contrast(self, features: Floats, kappa: float, middle: float | None = None) -> NDArray[np.float64]:
        """``h / 3 + kappa (log distance - middle)``: float64 (N,); 0 where proliv begins.

        ``middle``: in place of the part's own.
        """
        beyond = self.log_distance(features) - (self.middle if middle is None else middle)
        return self.odds(features) / ODDS + kappa * beyond

    def by_cell(self, features: Floats, kappa: float) -> NDArray[np.float64]:
        """How much less `contrast` would be without what each cell shows: float64 (N, C), >= 0.

        In the network the cell's features become the usual ones, and patchstats loses the cell's distance.
        """
        # The gradient of c by the features is nothing where a ReLU is off or a feature is cut off, whatever speaks for
        # proliv there. Leaving out features lights up the chaos of real proliv and next to nothing of normal crops. The
        # first layer is linear, so that all cells cost little more than one.
        rows = rows_of(features)
        standardized = self.head.standardized(rows)
        hidden = standardized @ self.head.first + self.head.first_bias
        count, cells = features.shape[:2]
        weights = self.head.first.reshape(cells, len(FEATURES), -1)
        by_cell = np.einsum("nck,ckh->nch", standardized.reshape(count, cells, -1), weights)
        without = (hidden[:, None] - by_cell).reshape(count * cells, -1)
        odds, odds_without = (log_odds(self.head.of_first(one)) for one in (hidden, without))
        share = (odds[:, None] - odds_without.reshape(count, cells)).clip(0) / ODDS
        trimmed = self.patchstats.settings.trimmed
        distances = self.patchstats.regions.log_distances(features[:, PLACES], trimmed=trimmed)
        share[:, PLACES] += kappa * (distances - self.middle).clip(0) / len(PLACES)
        return share

    def save(self, folder: Path) -> None:
        """Write it into a new folder; the middle is kept by whoever has all parts."""
        folder.mkdir()
        self.head.save(folder)
        self.patchstats.save(folder)

    @classmethod
    def load(cls, folder: Path, middle: float) -> Self:
        """Read it back; raises `DataError` when it is damaged."""
        head = Head.load(folder, features=len(GRID) * len(FEATURES), classes=CLASSES)
        return cls(head, PatchStatistics.load(folder, USUAL, "cpu"), middle)


def log_odds(logits: Floats) -> NDArray[np.float64]:
    """The logarithm of the odds of proliv, of what speaks for normal, chaos and empty hole, (N, 3): float64 (N,)."""
    normal, chaos, empty = logits.astype(np.float64).T
    odds: NDArray[np.float64] = np.logaddexp(chaos, empty) - normal
    return odds


def rows_of(features: Floats) -> Floats:
    """float32 (N, C K) of features (N, C, K)."""
    return features.reshape(len(features), math.prod(features.shape[1:]))
