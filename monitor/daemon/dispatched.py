"""The batches that are being read and scored, from the thread that dispatches them to the one that decides."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.inbox.messages import Candidate
    from monitor.scoring.batches import ScoredBatch
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.batch import PendingBatch

# Batches come out in the order in which they were dispatched, unless the first one takes longer than this.
OVERTAKEN_SECONDS: Final = 1.0


@dataclass(eq=False)
class _Dispatched:
    """``candidates``: those that have not come back yet. ``at``: what the monotonic clock showed."""

    candidates: Sequence[Candidate]
    ensemble: Ensemble
    batch: PendingBatch
    at: float


class ScoredPart(NamedTuple):
    """Candidates that were read and scored by the models of an ensemble, which is to decide on them as well."""

    candidates: Sequence[Candidate]
    ensemble: Ensemble
    scored: ScoredBatch


class DispatchedBatches:
    """A bounded number of batches between two threads; one that takes long does not hold up the others."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._batches: deque[_Dispatched] = deque()
        self._changed = Condition()
        self._ended = False

    def qsize(self) -> int:
        """How many batches there are that have not come back whole."""
        return len(self._batches)

    def wait_for_room(self) -> None:
        """Wait until there are fewer batches than there may be."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._batches) < self.most)

    def put(self, candidates: Sequence[Candidate], ensemble: Ensemble, batch: PendingBatch) -> None:
        """Add a batch with at least one candidate."""
        with self._changed:
            self._batches.append(_Dispatched(candidates, ensemble, batch, time.monotonic()))
        batch.when_ready(self._notify)

    def end(self) -> None:
        """Let `take` return None behind the last batch."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> ScoredPart | None:
        """Wait for the next part of a batch; raises `WorkerLostError`. For one thread alone."""
        with self._changed:
            while (one := self._ready()) is None:
                if self._ended and not self._batches:
                    return None
                self._changed.wait(self._patience())
        scored = one.batch.next_part()
        count = len(scored.files)
        part = ScoredPart(one.candidates[:count], one.ensemble, scored)
        one.candidates = one.candidates[count:]
        if one.candidates:
            one.batch.when_ready(self._notify)
        else:
            with self._changed:
                self._batches.remove(one)
                self._changed.notify_all()
        return part

    def _ready(self) -> _Dispatched | None:
        """The batch whose next part is there and may be taken."""
        ready = next((one for one in self._batches if one.batch.is_ready), None)
        if ready is None or ready is self._batches[0] or self._patience() == 0:
            return ready
        return None

    def _patience(self) -> float | None:
        """How long the first batch may hold up others that are ready; None where none is."""
        if not any(one.batch.is_ready for one in self._batches):
            return None
        return max(0.0, self._batches[0].at + OVERTAKEN_SECONDS - time.monotonic())

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
