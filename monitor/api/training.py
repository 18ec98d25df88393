"""What a detector reports of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
    """What `Detector.fit` did: the loss curves and the epoch whose weights were kept (0: not trained by epochs)."""

    epochs: tuple[EpochReport, ...] = ()
    best_epoch: int = 0
