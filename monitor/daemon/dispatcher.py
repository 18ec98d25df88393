"""Hands files to the workers, and decides on what comes back: two threads with a bounded number of batches between."""

from __future__ import annotations

import logging
import time
from queue import Queue
from typing import TYPE_CHECKING, Final

from monitor.crops.refusals import lacks_memory
from monitor.daemon.batch_queue import BatchQueue
from monitor.daemon.dispatched import DispatchedBatches
from monitor.files.text import printable
from monitor.scoring import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.settings import Pipeline
    from monitor.daemon.models_in_use import ModelsInUse
    from monitor.daemon.replies import Replies
    from monitor.errors import CropRefusedError
    from monitor.inbox.messages import Candidate
    from monitor.metrics import Metrics
    from monitor.scoring.batches import DecidedBatch, ScoredBatch
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.base import ScoringPool
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

# A lack of memory is told of once in this time, for it may concern every crop.
MEMORY_WARNING_SECONDS: Final = 60.0
# How many decided batches may wait for the writer.
BATCHES_WAITING: Final = 2
# How long to wait for space in the queue of paths before looking whether the daemon is stopping.
PUT_SECONDS: Final = 0.2


class Dispatcher:
    """Takes all the paths that wait, up to a batch, has them scored, and decides on those that are complete.

    Batches form by themselves: while the workers are busy, paths wait. ``decided`` holds what the writer takes; None
    ends it.
    """

    def __init__(
        self,
        settings: Pipeline,
        models: ModelsInUse,
        replies: Replies,
        metrics: Metrics,
        is_test: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        """``is_test``: whether a path is of a self-test, which is not counted."""
        self._is_test = is_test
        self._batch_size = settings.batch_size
        self._models = models
        self._replies = replies
        self._metrics = metrics
        self._warned_of_memory = -MEMORY_WARNING_SECONDS
        self._pool: ScoringPool | None = None
        self._paths: BatchQueue[Candidate | None] = BatchQueue(settings.queue_size)
        self._scoring = DispatchedBatches(BATCHES_WAITING)
        self.decided: Queue[DecidedBatch | None] = Queue(BATCHES_WAITING)
        sizes = {"paths": self._paths.qsize, "scoring": self._scoring.qsize, "storing": self.decided.qsize}
        for name, size in sizes.items():
            metrics.queue_depth.labels(name).set_function(size)

    def use(self, pool: ScoringPool) -> None:
        """Have files scored by this pool; to be called before the threads are started."""
        self._pool = pool
        # One that is worked on, one that waits for the worker, and what is being decided on.
        self._scoring.most = 2 * pool.workers + 2

    def deliver(self, candidate: Candidate, is_stopping: Callable[[], bool]) -> bool:
        """Queue a file, waiting for space; false when the daemon is stopping."""
        while not is_stopping():
            if self._paths.put(candidate, PUT_SECONDS):
                if candidate.looks is None and candidate.label is None and not self._is_test(candidate.path):
                    self._metrics.seen.inc()
                return True
        return False

    def end(self, timeout: float) -> bool:
        """Put the mark that ends both threads and the writer behind the last file; false while the queue is full."""
        return self._paths.put(None, timeout)

    def dispatch(self, thread: TimedThread) -> None:
        """Hand what waits to the pool until the mark comes."""
        assert self._pool is not None
        ended = False
        thread.idle()
        while not ended:
            self._scoring.wait_for_room()
            taken = self._paths.take(self._batch_size)
            candidates = [candidate for candidate in taken if candidate is not None]
            ended = len(candidates) < len(taken)
            if candidates:
                # Read once: a reload may exchange it meanwhile, and only the models that are asked can decide.
                ensemble = self._models.ensemble
                paths, labels = [one.path for one in candidates], [one.label for one in candidates]
                self._scoring.put(candidates, ensemble, self._pool.submit(paths, ensemble, labels=labels))
        self._scoring.end()

    def decide(self, thread: TimedThread) -> None:
        """Decide on what was scored, until the mark comes.

        While it waits, for workers or for the writer, the thread counts as idle: the pool watches crops that take long.
        """
        thread.idle()
        while (part := self._scoring.take()) is not None:
            thread.busy()
            decided = self._decide(part.candidates, part.scored, part.ensemble)
            thread.idle()
            if decided is not None:
                self.decided.put(decided)
        self.decided.put(None)

    def _decide(self, candidates: Sequence[Candidate], part: ScoredBatch, ensemble: Ensemble) -> DecidedBatch | None:
        complete = [row for row, candidate in enumerate(candidates) if self._is_complete(candidate, part, row)]
        if not complete:
            return None
        return pipeline.decide(part if len(complete) == len(candidates) else part.take(complete), ensemble)

    def _is_complete(self, candidate: Candidate, part: ScoredBatch, row: int) -> bool:
        """Whether a file is complete, or given up; the watcher is told of one that is not."""
        files, refusal = part.files, part.refusals.get(row)
        ended = files.ended[row]
        if ended and refusal is None:
            return True
        unchanged = files.looks[row] == candidate.looks
        unfinished = ended is False and not (candidate.settled and unchanged)
        # A file is not to blame for a lack of memory, however long it lasts.
        given_up = candidate.final and unchanged and not lacks_memory(refusal)
        unreadable = refusal is not None and refusal.transient and not given_up
        if not (unfinished or unreadable):
            return True
        if candidate.label is None and not self._is_test(candidate.path):
            self._metrics.retried.inc()
        if lacks_memory(refusal):
            self._warn_of_memory(files.paths[row], refusal)
        self._replies.incomplete(files, row)
        return False

    def _warn_of_memory(self, path: str, refusal: CropRefusedError | None) -> None:
        now = time.monotonic()
        if now - self._warned_of_memory >= MEMORY_WARNING_SECONDS:
            self._warned_of_memory = now
            log.warning("%s: %s; it waits, like others that come now, and is tried again", printable(path), refusal)
