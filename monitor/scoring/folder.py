"""Scores a folder by hand: every crop below it goes through the pipeline, or is known from an earlier run."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.scoring import lookup, pipeline, record
from monitor.scoring.ensemble import Decision
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.lookup import StoredCrop
    from monitor.scoring.pools.batch import Batch
    from monitor.scoring.pools.processes import Workers
    from monitor.scoring.vote import FinalDecision
    from monitor.scoring.work import Work
    from monitor.store.database.engine import Database


STORED_TOGETHER: Final = 2
"""So many batches are one transaction: it takes less of the processor's time than one for each."""
PARTS: Final = 4
"""In so many parts the last batches are scored, so that all workers end at nearly the same time."""


class Result(NamedTuple):
    """The final decision on one crop with those of the models that judged it, or the crop's failure.

    ``decisions`` has the ensemble's order. A crop that failed has no ``final``, no decisions, and a ``reason``.
    """

    path: str
    hole: int | None
    final: FinalDecision | None = None
    decisions: Sequence[Decision] = ()
    reason: str | None = None
    error: str | None = None
    known: bool = False
    """Whether it was decided in an earlier run."""

    @property
    def outdated(self) -> bool:
        """Whether a model decided on it by an earlier threshold than it has today."""
        return any(decision.threshold != decision.model.threshold for decision in self.decisions)


class _Begun(NamedTuple):
    """Paths that are looked up and stored together: the batches of the new ones, and what is known of the others."""

    paths: Sequence[str]
    stored: Mapping[str, StoredCrop]
    batches: Sequence[Batch]

    def apart(self) -> list[_Begun]:
        """The same as several, unless crops that are known stand between them."""
        if self.stored:
            return [self]
        parts = [self.batches[start : start + PARTS] for start in range(0, len(self.batches), PARTS)]
        return [_Begun([path for batch in part for path in batch.paths], {}, part) for part in parts]


def score_paths(
    paths: Iterable[str],
    workers: Workers,
    ensemble: Ensemble,
    database: Database,
    *,
    batch_size: int,
    keep: bool,
) -> Iterator[list[Result]]:
    """Score crops in batches and yield results, one for each path, in the order of the paths, a few batches at a time.

    With ``keep`` the decisions are stored, and those that are stored already are not made again; without it
    nothing is read from or written to the store. A few batches are scored ahead of those that are stored.
    """
    remaining = iter(paths)
    begun: deque[_Begun] = deque()
    model_ids = [model.id for model in ensemble.models]
    following = list(islice(remaining, STORED_TOGETHER * batch_size))
    while some := following:
        following = list(islice(remaining, STORED_TOGETHER * batch_size))
        fresh, stored = lookup.unknown(database, some, model_ids=model_ids) if keep else (some, {})
        size = batch_size if following else max(batch_size // PARTS, 1)
        starts = range(0, len(fresh), size)
        batches = [workers.submit(fresh[start : start + size], ensemble) for start in starts]
        begun.append(_Begun(some, stored, batches))
        # So many lie ahead that no worker waits while the first are stored.
        if len(begun) > workers.count // STORED_TOGETHER + 2:
            yield _finished(begun.popleft(), ensemble, database, keep=keep)
    while begun:
        last = begun.popleft()
        # Nobody else has work in the end, so what is ready is stored meanwhile.
        for part in [last] if begun else last.apart():
            yield _finished(part, ensemble, database, keep=keep)


def _finished(begun: _Begun, ensemble: Ensemble, database: Database, *, keep: bool) -> list[Result]:
    works = [work for batch in begun.batches for work in batch.result()]
    for work in works:
        work.source = "folder"
    pipeline.decide(works, ensemble)
    if keep:
        record.store(database, works)
    if not begun.stored:
        return [_of_work(work) for work in works]
    fresh = {work.path: work for work in works}
    return [
        _of_work(fresh[path]) if path in fresh else _of_store(path, begun.stored[path], ensemble)
        for path in begun.paths
    ]


def _of_work(work: Work) -> Result:
    if work.final is None:
        reason = work.refusal.reason if work.refusal else None
        return Result(work.path, work.identity.hole, reason=reason, error=str(work.refusal))
    return Result(work.path, work.identity.hole, work.final, work.decisions)


def _of_store(path: str, stored: StoredCrop, ensemble: Ensemble) -> Result:
    """The result of the models' stored decisions, which stand; how they become one is the configuration's of today."""
    by_model = {score.model_id: score for score in stored.scores}
    decisions = [
        Decision(model, score.mse, score.score, score.threshold, Label(score.verdict))
        for model in ensemble.models
        for score in (by_model[model.id],)
    ]
    return Result(path, stored.crop.hole, ensemble.final(decisions), decisions, known=True)
