"""One batch of crops: read -> score -> decide -> store. `monitor score` and the daemon both run these stages.

The stages are functions over a list of `Work`, one for each crop, which each stage fills further. A crop that
fails carries its refusal through the rest; it never stops its batch. Reading and scoring may run in other processes
(`monitor.scoring.pools.processes`); deciding and storing are the program's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.models.calls import score_each
from monitor.scoring.ensemble import Decision
from monitor.scoring.vote import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.api import Detector
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.work import Work


def score(batch: Sequence[Work], ensemble: Ensemble) -> None:
    """Score and decide every decoded crop of the batch with every model, and make the final decision."""
    ask(batch, {model.id: model.detector for model in ensemble.models})
    decide(batch, ensemble)


def ask(batch: Sequence[Work], detectors: Mapping[int, Detector]) -> None:
    """Let every detector, by its model's id, score the decoded crops; afterwards they have no pixels any more.

    A model that has decided on a crop before is not asked again.
    """
    readable = [work for work in batch if work.decoded is not None]
    for model_id, detector in detectors.items():
        asked = [work for work in readable if all(one.model.id != model_id for one in work.decisions)]
        pixels = [work.decoded.pixels for work in asked if work.decoded is not None]
        holes = [work.identity.hole for work in asked]
        for work, outcome in zip(asked, score_each(detector, pixels, holes), strict=True):
            work.scores[model_id] = outcome
    for work in readable:
        work.decoded = None  # the pixels are the bulk of a batch and no longer needed


def decide(batch: Sequence[Work], ensemble: Ensemble) -> None:
    """Hold the scores against the thresholds, and make the final decision on each crop that a model scored.

    A crop that a model refuses is decided by the others; one that all refuse has failed.
    """
    now = datetime.now(UTC)
    for work in batch:
        if not work.scores:
            continue
        before = {one.model.id: one for one in work.decisions}
        work.decisions = []
        for model in ensemble.models:
            outcome = work.scores.get(model.id)
            if isinstance(outcome, tuple):
                mse, score = outcome
                work.decisions.append(Decision(model, mse, score, model.threshold, verdict(score, model.threshold)))
            elif outcome is not None:
                work.refusal = outcome
            elif model.id in before:
                work.decisions.append(before[model.id])
        if work.decisions:
            work.final = ensemble.final(work.decisions)
            work.decided_at = now
