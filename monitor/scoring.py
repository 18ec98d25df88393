"""Scores a folder by hand: every crop below it goes through the pipeline, or is known from an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor import known, pipeline
from monitor.dataset import Label
from monitor.ensemble import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from monitor.decision import Outcome
    from monitor.ensemble import Ensemble
    from monitor.known import StoredCrop
    from monitor.pipeline import Reader, Work
    from monitor.store.engine import Database


@dataclass(frozen=True, slots=True)
class Result:
    """The final decision on one crop with those of the models that judged it, or the crop's failure.

    ``decisions`` has the ensemble's order. A crop that failed has no ``final``, no decisions, and a ``reason``.
    """

    path: Path
    hole: int | None
    final: Outcome | None = None
    decisions: Sequence[Decision] = ()
    reason: str | None = None
    error: str | None = None
    known: bool = False
    """Whether it was decided in an earlier run."""

    @property
    def outdated(self) -> bool:
        """Whether a model decided on it by an earlier threshold than it has today."""
        return any(decision.threshold != decision.model.threshold for decision in self.decisions)


def score_paths(
    paths: Iterable[Path],
    reader: Reader,
    ensemble: Ensemble,
    database: Database,
    *,
    batch_size: int,
    keep: bool,
) -> Iterator[list[Result]]:
    """Score crops in batches and yield each batch's results, one for each path, in the order of its paths.

    With ``keep`` the decisions are stored, and those that are stored already are not made again; without it
    nothing is read from or written to the store.
    """
    remaining = iter(paths)
    model_ids = [model.id for model in ensemble.models]
    while batch := list(islice(remaining, batch_size)):
        fresh, stored = known.unknown(database, batch, model_ids=model_ids) if keep else (batch, {})
        works = {path: reader.read(path, source="folder") for path in fresh}
        pipeline.score(list(works.values()), ensemble)
        if keep:
            pipeline.store(database, list(works.values()))
        yield [_of_work(works[path]) if path in works else _of_store(path, stored[path], ensemble) for path in batch]


def _of_work(work: Work) -> Result:
    if work.final is None:
        reason = work.refusal.reason if work.refusal else None
        return Result(work.path, work.identity.hole, reason=reason, error=str(work.refusal))
    return Result(work.path, work.identity.hole, work.final, work.decisions)


def _of_store(path: Path, stored: StoredCrop, ensemble: Ensemble) -> Result:
    """The result of the models' stored decisions, which stand; how they become one is the configuration's of today."""
    by_model = {score.model_id: score for score in stored.scores}
    decisions = [
        Decision(model, score.mse, score.score, score.threshold, Label(score.verdict))
        for model in ensemble.models
        for score in (by_model[model.id],)
    ]
    return Result(path, stored.crop.hole, ensemble.final(decisions), decisions, known=True)
