"""Scores a folder by hand: every crop below it goes through the pipeline, or is known from an earlier run."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from monitor.scoring import lookup, pipeline, record
from monitor.scoring.ensemble import Decision
from monitor.scoring.vote import unusual
from monitor.store.crops import identities
from monitor.words import Identity, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitor.scoring.batches import DecidedBatch
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.lookup import StoredCrop
    from monitor.scoring.pools.base import ScoringPool
    from monitor.scoring.pools.batch import PendingBatch
    from monitor.scoring.record import Raise
    from monitor.scoring.vote import FinalDecision
    from monitor.store.crops import CropKey
    from monitor.store.database.engine import Database
    from monitor.words import Source


NO_IDENTITY: Final = Identity(None, None, None)
# How many batches make one transaction: storing them together takes less processor time than one by one.
STORED_TOGETHER: Final = 2
# Into how many parts the last batches are cut, so that all workers finish at nearly the same time.
PARTS: Final = 4


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
    known: bool = False  # whether it was decided in an earlier run
    camera: str | None = None
    captured_at: datetime | None = None
    id: int | None = None  # the crop's, None where it is not stored
    unusual: bool = False  # whether it is decided ne_proliv although one of the decisions is proliv

    @property
    def outdated(self) -> bool:
        """Whether a model decided on it by an earlier threshold than it has today."""
        return any(decision.threshold != decision.model.threshold for decision in self.decisions)


class _Begun(NamedTuple):
    """Paths that are looked up and stored together: the batches of the new ones, and what is known of the others."""

    paths: Sequence[str]
    stored: Mapping[str, StoredCrop]
    batches: Sequence[PendingBatch]

    def apart(self) -> list[_Begun]:
        """The same as several, unless crops that are known stand between them."""
        if self.stored:
            return [self]
        parts = [self.batches[start : start + PARTS] for start in range(0, len(self.batches), PARTS)]
        return [_Begun([path for batch in part for path in batch.paths], {}, part) for part in parts]


def score_paths(
    paths: Iterable[str],
    pool: ScoringPool,
    ensemble: Ensemble,
    database: Database,
    *,
    batch_size: int,
    keep: bool,
    source: Source = "folder",
    raise_alarms: Raise | None = None,
) -> Iterator[list[Result]]:
    """Score crops in batches and yield results, one for each path, in the order of the paths, a few batches at a time.

    With ``keep`` the decisions are stored, and those that are stored already are not made again; without it
    nothing is read from or written to the store. A few batches are scored ahead of those that are stored. ``source``:
    "inbox" where they are to count as decided in operation. ``raise_alarms``: as for `monitor.scoring.record.record`.
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
        batches = [pool.submit(fresh[start : start + size], ensemble, source=source) for start in starts]
        begun.append(_Begun(some, stored, batches))
        # Enough lie ahead that no worker waits while the first are stored.
        if len(begun) > pool.workers // STORED_TOGETHER + 2:
            yield _finished(begun.popleft(), ensemble, database, raise_alarms, keep=keep)
    while begun:
        last = begun.popleft()
        # The workers run out of work at the end, so what is ready is stored meanwhile.
        for part in [last] if begun else last.apart():
            yield _finished(part, ensemble, database, raise_alarms, keep=keep)


def _finished(
    begun: _Begun, ensemble: Ensemble, database: Database, raise_alarms: Raise | None, *, keep: bool
) -> list[Result]:
    decided = [pipeline.decide(part, ensemble) for batch in begun.batches for part in batch.parts()]
    ids = record.record(database, decided, raise_alarms=raise_alarms).ids if keep else {}
    fresh = [result for batch in decided for result in _of_batch(batch, ids)]
    if not begun.stored:
        return fresh
    by_path = {result.path: result for result in (*fresh, *_of_store(begun.stored, ensemble, database))}
    return [by_path[path] for path in begun.paths]


def _of_batch(batch: DecidedBatch, ids: Mapping[CropKey, int]) -> list[Result]:
    files, refusals = batch.files, batch.refusals
    crop_ids = [ids.get(key) for key in files.keys] if ids else [None] * len(files)
    columns = zip(
        *(files.paths, files.identities, batch.final.listed, batch.decisions, crop_ids, batch.unusual.tolist()),
        strict=True,
    )
    found = []
    for row, (path, (hole, camera, captured_at), final, decisions, crop_id, flag) in enumerate(columns):
        refusal = refusals.get(row)
        reason, error = (None, None) if refusal is None else (refusal.reason, str(refusal))
        known = False
        found.append(Result(path, hole, final, decisions, reason, error, known, camera, captured_at, crop_id, flag))
    return found


def _of_store(stored: Mapping[str, StoredCrop], ensemble: Ensemble, database: Database) -> list[Result]:
    """The results of the models' stored decisions, which stand.

    How they become one final decision is what the configuration says today.
    """
    found = []
    decisions = [_stored_decisions(crop, ensemble) for crop in stored.values()]
    scores = np.array([[one.score for one in row] for row in decisions])
    thresholds = np.array([[one.threshold for one in row] for row in decisions])
    final = ensemble.final(scores, thresholds)
    outcomes = zip(final.listed, unusual(scores, thresholds, final).tolist(), decisions, strict=True)
    ids = [crop.crop.id for crop in stored.values()]
    with database.read() as connection:
        said = identities(connection, ids)
    for path, crop_id, (one, flag, row) in zip(stored, ids, outcomes, strict=True):
        hole, camera, captured_at = said.get(crop_id, NO_IDENTITY)  # it may have been deleted for its age meanwhile
        known: dict[str, Any] = {"camera": camera, "captured_at": captured_at, "id": crop_id, "unusual": flag}
        found.append(Result(path, hole, one, row, known=True, **known))
    return found


def _stored_decisions(crop: StoredCrop, ensemble: Ensemble) -> list[Decision]:
    by_model = {score.model_id: score for score in crop.scores}
    return [
        Decision(model, score.mse, score.score, score.threshold, Label(score.verdict))
        for model in ensemble.models
        for score in (by_model[model.id],)
    ]
