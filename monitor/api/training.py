"""What a detector reports of its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from monitor.api.arrays import Pixels
    from monitor.api.scores import Scores


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One pass over the training crops: its number from 1, how many are planned, and its mean losses."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float


class Progress(Protocol):
    """Called by a detector's `fit` after every epoch, for progress bars and loss curves."""

    def __call__(self, report: EpochReport) -> None:
        """Take one epoch's report."""


@dataclass(frozen=True, slots=True)
class FitReport:
    """What `Detector.fit` did: the loss curves and the epoch whose weights were kept (0: not trained by epochs).

    ``cross_fitted``: the scores of the known proliv, in their order, from a detector that learns from them; see
    `KnownProliv`. None from all others. ``cross_fitted_normal``: those of the labelled false alarms; None where there
    were none.
    """

    epochs: tuple[EpochReport, ...] = ()
    best_epoch: int = 0
    cross_fitted: Scores | None = field(default=None, compare=False)
    cross_fitted_normal: Scores | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class FalseAlarms:
    """Crops without proliv that a model called proliv, as people labelled them.

    ``crops``: uint8 (F, H, W, 3) as `Detector.prepare_batch` returns them. ``groups``, (F,): numbers of groups of
    near-duplicates, in the same count as `KnownProliv.normal_groups`: one that is a near-duplicate of a normal crop has
    its number.
    """

    crops: Pixels
    groups: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class KnownProliv:
    """The proliv that a detector with ``learns_from_proliv`` learns from, and what has to stay together in folds.

    ``crops``: uint8 (P, H, W, 3) as `Detector.prepare_batch` returns them; P is 0 where no proliv is known. ``groups``,
    (P,): crops of one hole and near-duplicates have the same number, from 0 without gaps. ``normal_groups``, (N,): the
    same for the N normal crops that `fit` gets, by near-duplicates alone.

    What was learned by heart has a high score, which says nothing about proliv that is still to come. So the detector
    also gives each of these crops the score that it would have if nothing of its group had been learned from, by
    leaving out one part of the groups after the other (cross-fitting), and thresholds are chosen from those scores:
    `FitReport.cross_fitted`.

    When a model is trained again in operation, there is more. ``confirmed``, bool (P,): the proliv that was labelled in
    operation, which may be of any kind; None: none of it. ``false_alarms``: crops to learn as normal, beside those that
    `fit` gets; None: none are known. They have to be cross-fitted likewise: `FitReport.cross_fitted_normal`.
    """

    crops: Pixels
    groups: NDArray[np.intp]
    normal_groups: NDArray[np.intp]
    confirmed: NDArray[np.bool_] | None = None
    false_alarms: FalseAlarms | None = None
