"""Batches of crops on their way to the store: read -> scored -> decided, each stage makes the next.

They are columns rather than lists of objects, so that deciding is a few operations on arrays, and little has to be
copied between processes. Each checks, when it is made, that every crop is accounted for: a crop that was read has
pixels or a refusal, one that was scored has a score or a refusal of every model, one that was decided has a final
decision or a refusal. So no crop can reach the store with neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from monitor.scoring.ensemble import Decision
from monitor.scoring.vote import unusual, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from monitor.crops.batch import CropFiles
    from monitor.errors import CropRefusedError
    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.vote import FinalDecisions

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """N files and what M models say of them.

    ``model_ids``: the models that were asked. ``mse`` and ``scores``: float64 (N, M), the mean squared errors and the
    scores that decide; NaN where there is a refusal. ``refusals``: of files that could not be read, by row.
    ``declined``: of models that could not score a crop, by (row, column). Raises `ValueError` unless each score is
    there or refused.
    """

    files: CropFiles
    model_ids: tuple[int, ...]
    mse: Floats
    scores: Floats
    refusals: Mapping[int, CropRefusedError]
    declined: Mapping[tuple[int, int], CropRefusedError]

    def __post_init__(self) -> None:
        shape = len(self.files), len(self.model_ids)
        if self.mse.shape != shape or self.scores.shape != shape:
            raise ValueError(f"scores of shape {self.scores.shape} for {shape[0]} crops and {shape[1]} models")
        missing = np.isnan(self.scores)
        explained = np.zeros(shape, dtype=np.bool_)
        explained[list(self.refusals)] = True
        for row, column in self.declined:
            explained[row, column] = True
        if (missing != explained).any():
            row = int((missing != explained).any(axis=1).argmax())
            raise ValueError(f"{self.files.paths[row]!r}: a model gave neither a score nor a refusal, or both")

    def take(self, rows: Sequence[int]) -> ScoredBatch:
        """Some of the crops, in this order."""
        place = {row: number for number, row in enumerate(rows)}
        return ScoredBatch(
            self.files.take(rows),
            self.model_ids,
            self.mse[rows],
            self.scores[rows],
            {place[row]: refusal for row, refusal in self.refusals.items() if row in place},
            {(place[row], column): refusal for (row, column), refusal in self.declined.items() if row in place},
        )


@dataclass(frozen=True)
class DecidedBatch:
    """N files, each with a final decision or with the reason why there is none.

    ``models``: those that decided; ``shadows``: those on trial behind them, which only scored. ``mse`` and ``scores``:
    as in `ScoredBatch`, of both. ``final``: N final decisions. ``refusals``: by row, for exactly the crops without one.
    ``decided_at``: in UTC. Raises `ValueError` for a crop with neither or with both.
    """

    files: CropFiles
    models: tuple[ActiveModel, ...]
    mse: Floats
    scores: Floats
    final: FinalDecisions
    refusals: Mapping[int, CropRefusedError]
    decided_at: datetime
    shadows: tuple[ActiveModel, ...] = ()

    def __post_init__(self) -> None:
        undecided = np.flatnonzero(~self.final.made).tolist()
        if undecided != sorted(self.refusals):
            row = min(set(undecided) ^ self.refusals.keys())
            raise ValueError(f"{self.files.paths[row]!r}: neither a decision nor a refusal, or both")

    @cached_property
    def unusual(self) -> NDArray[np.bool_]:
        """bool (N,): which crops are decided ne_proliv although one of the models calls them proliv."""
        # Models in the shadow have no part in it.
        scores = self.scores[:, : len(self.models)]
        return unusual(scores, np.array([model.threshold for model in self.models]), self.final)

    @cached_property
    def decisions(self) -> list[list[Decision]]:
        """For each crop the decisions of the models that judged it, in the models' order."""
        count = len(self.models)
        return _decisions(self.models, self.mse[:, :count], self.scores[:, :count])

    @property
    def trials(self) -> list[list[Decision]]:
        """For each crop what the models in the shadow would have decided."""
        count = len(self.models)
        return _decisions(self.shadows, self.mse[:, count:], self.scores[:, count:])

    def take(self, rows: Sequence[int]) -> DecidedBatch:
        """Some of the crops, in this order."""
        return DecidedBatch(
            self.files.take(rows),
            self.models,
            self.mse[rows],
            self.scores[rows],
            self.final.take(rows),
            {number: self.refusals[row] for number, row in enumerate(rows) if row in self.refusals},
            self.decided_at,
            self.shadows,
        )


def _decisions(models: Sequence[ActiveModel], mse: Floats, scores: Floats) -> list[list[Decision]]:
    """The decisions of M models on N crops by their scores, (N, M), without those that they refused."""
    if not models:
        return [[] for _ in scores]
    columns = [(model, model.threshold) for model in models]
    return [
        [
            Decision(model, one_mse, score, threshold, verdict(score, threshold))
            for (model, threshold), one_mse, score in zip(columns, errors, row, strict=True)
            if not isnan(score)
        ]
        for errors, row in zip(mse.tolist(), scores.tolist(), strict=True)
    ]
