"""The steps between reading and storing: every model scores a batch, and the scores become decisions.

`monitor score` and the daemon both take these steps. A crop that fails carries its refusal along and never stops its
batch. Reading and scoring may run in other processes (`monitor.scoring.pools`); deciding and storing run in the program
itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from monitor.crops.refusals import lacks_memory
from monitor.models.calls import score_together
from monitor.scoring.batches import DecidedBatch, ScoredBatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.api import Detector
    from monitor.crops.batch import ReadBatch
    from monitor.errors import CropRefusedError
    from monitor.scoring.ensemble import Ensemble


def score(batch: ReadBatch, ensemble: Ensemble) -> DecidedBatch:
    """Score a batch with every model of the ensemble, and decide."""
    return decide(ask(batch, ensemble.detectors), ensemble)


def ask(batch: ReadBatch, detectors: Mapping[int, Detector]) -> ScoredBatch:
    """Let every detector, by its model's id, score the crops that could be read."""
    rows = batch.readable
    pixels = [picture for picture in batch.pixels if picture is not None]
    holes = [batch.files.identities[row].hole for row in rows]
    mse, scores = (np.full((len(batch.files), len(detectors)), np.nan) for _ in range(2))
    declined: dict[tuple[int, int], CropRefusedError] = {}
    for column, answers in enumerate(score_together(list(detectors.values()), pixels, holes)):
        mse[rows, column], scores[rows, column] = answers.mse, answers.deciding
        declined.update({(rows[number], column): refusal for number, refusal in answers.refusals.items()})
    # Where there was no memory for one model, the others must not decide alone: the crop is tried again.
    lacking = {row: refusal for (row, _), refusal in declined.items() if lacks_memory(refusal)}
    if lacking:
        mse[list(lacking)] = scores[list(lacking)] = np.nan
        declined = {key: refusal for key, refusal in declined.items() if key[0] not in lacking}
    return ScoredBatch(batch.files, tuple(detectors), mse, scores, {**batch.refusals, **lacking}, declined)


def decide(batch: ScoredBatch, ensemble: Ensemble) -> DecidedBatch:
    """Hold the scores against the models' thresholds, and make the final decision on each crop that a model scored.

    A crop that one model refuses is decided by the others; one that all refuse has failed. Models in the shadow decide
    nothing. Raises `ValueError` when other models were asked than those that are to decide.
    """
    if batch.model_ids != ensemble.model_ids:
        raise ValueError(f"the models {batch.model_ids} were asked, and {ensemble.model_ids} cannot decide by that")
    count = len(ensemble.models)
    final = ensemble.final(batch.scores[:, :count])
    refusals = dict(batch.refusals)
    # Where several models refuse a crop, the last one's reason is the crop's.
    refusals.update(
        {row: refusal for (row, column), refusal in batch.declined.items() if column < count and not final.made[row]}
    )
    now = datetime.now(UTC)
    return DecidedBatch(
        batch.files, ensemble.models, batch.mse, batch.scores, final, refusals, now, shadows=ensemble.shadows
    )
