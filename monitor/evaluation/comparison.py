"""Every calibrated model and the final decision on the same labelled crops."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import MonitorError
from monitor.formulas.rates import Evaluation, evaluate
from monitor.models.calls import score_all
from monitor.scoring import ensemble
from monitor.store import models
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from monitor.configuration.resolved import Configuration
    from monitor.crops.in_memory import ReadCrops
    from monitor.registry import Registry
    from monitor.scoring.ensemble import ActiveModel, Ensemble
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judge:
    """A model, or the final decision of several, with its scores of N crops.

    ``detector``: the detector's name, or ``decision``. ``model``: the model's name; for the final decision, the names
    of its models joined by ``+``. ``scores``: float64 (N,), NaN for a crop that it refused. A crop is proliv when its
    score reaches the ``threshold``.
    """

    detector: str
    model: str
    scores: NDArray[np.float64]
    threshold: float

    def evaluate(self, proliv: NDArray[np.bool_]) -> Evaluation:
        """Compare the verdicts with N labels, True = proliv; crops that it refused are not counted."""
        judged = np.isfinite(self.scores)
        return evaluate(self.scores[judged], proliv[judged], self.threshold)


def judge(model: ActiveModel, crops: ReadCrops) -> Judge:
    """Let one model score the crops."""
    scores = score_all(model.detector, crops.pixels, crops.holes).deciding
    return Judge(model.detector.name, model.name, scores, model.threshold)


def judge_together(active: Ensemble, scores: Mapping[int, NDArray[np.float64]]) -> Judge:
    """Make the final decisions on N crops from the scores of the ensemble's models by their ids, each float64 (N,).

    Where crops have different thresholds, because a model refused some, the scores are the differences from them and
    the threshold is 0. That changes no verdict: the difference of unequal floating-point numbers is never 0.
    """
    final = active.final(np.column_stack([scores[model.id] for model in active.models]))
    different = np.unique(final.thresholds[final.made])
    if len(different) == 1:
        return Judge(DECISION, active.name, final.scores, float(different[0]))
    return Judge(DECISION, active.name, final.scores - final.thresholds, 0.0)


def judge_all(
    active: Ensemble, database: Database, registry: Registry, configuration: Configuration, crops: ReadCrops
) -> list[Judge]:
    """Every model that has a threshold, the newest first, then the final decision of ``active``.

    A model that cannot be loaded is left out with a warning, unless it is one of those that decide.
    """
    with database.read() as connection:
        rows = [row for row in models.all_models(connection) if row.threshold is not None]
    loaded = {model.id: model for model in active.models}
    judges: dict[int, Judge] = {}
    for row in rows:
        try:
            # One at a time: all that were ever trained might not fit into memory together.
            model = loaded.get(row.id) or ensemble.load(registry, configuration, row)
        except MonitorError as error:
            log.warning("%s; %s is left out", error, row.name)
        else:
            judges[row.id] = judge(model, crops)
    return [*judges.values(), judge_together(active, {model_id: one.scores for model_id, one in judges.items()})]
