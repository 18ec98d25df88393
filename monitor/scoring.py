"""Scores a folder by hand: every crop below it goes through the pipeline, or is known from an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor import pipeline
from monitor.dataset import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from monitor.pipeline import ActiveModel, Reader, StoredCrop, Work
    from monitor.store.engine import Database


@dataclass(frozen=True, slots=True)
class Result:
    """One model's decision on one crop, or the crop's failure (then without model, numbers and verdict)."""

    path: Path
    hole: int | None
    model: ActiveModel | None = None
    mse: float | None = None
    score: float | None = None
    threshold: float | None = None
    verdict: Label | None = None
    reason: str | None = None
    error: str | None = None
    known: bool = False
    """Whether it was decided in an earlier run."""


def score_paths(
    paths: Iterable[Path],
    reader: Reader,
    active: Sequence[ActiveModel],
    database: Database,
    *,
    batch_size: int,
    keep: bool,
) -> Iterator[list[Result]]:
    """Score crops in batches and yield each batch's results in the order of its paths.

    With ``keep`` the decisions are stored, and those that are stored already are not made again; without it
    nothing is read from or written to the store.
    """
    remaining = iter(paths)
    while batch := list(islice(remaining, batch_size)):
        model_ids = [model.id for model in active]
        fresh, stored = pipeline.unknown(database, batch, model_ids=model_ids) if keep else (batch, {})
        works = {path: reader.read(path) for path in fresh}
        pipeline.score(list(works.values()), active)
        if keep:
            pipeline.store(database, list(works.values()))
        yield [
            result
            for path in batch
            for result in (_of_work(works[path]) if path in works else _of_store(path, stored[path], active))
        ]


def _of_work(work: Work) -> list[Result]:
    if not work.decisions:
        reason = work.refusal.reason if work.refusal else None
        return [Result(work.path, work.identity.hole, reason=reason, error=str(work.refusal))]
    return [
        Result(
            work.path,
            work.identity.hole,
            model=decision.model,
            mse=decision.mse,
            score=decision.score,
            threshold=decision.threshold,
            verdict=decision.verdict,
        )
        for decision in work.decisions
    ]


def _of_store(path: Path, stored: StoredCrop, active: Sequence[ActiveModel]) -> list[Result]:
    by_id = {model.id: model for model in active}
    return [
        Result(
            path,
            stored.crop.hole,
            model=by_id[score.model_id],
            mse=score.mse,
            score=score.score,
            threshold=score.threshold,
            verdict=Label(score.verdict),
            known=True,
        )
        for score in stored.scores
    ]
