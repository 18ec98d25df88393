"""Reads and scores in processes, so that every core works.

Decoding a crop, and much of what surrounds a network, holds Python's interpreter lock, so that threads do not add up.
The processes are forked from the program once it has loaded its models, whose memory they share; each takes a batch at
a time and computes in one thread.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Final

from threadpoolctl import threadpool_limits

from monitor.scoring.pools.base import ScoringPool
from monitor.scoring.pools.batch import none_lost

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.wire import Flat
    from monitor.store.models import ModelRow

# PR_SET_PDEATHSIG of prctl(2).
DEATH_SIGNAL: Final = 1
# A signal to the whole group of processes, as Ctrl-C is, is the parent's to answer.
IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessPool(ScoringPool):
    """Several workers, each a process that is forked here and now and lives as long as the calling thread."""

    def __init__(self, scorer: Scorer, ensemble: Ensemble, workers: int) -> None:
        self.workers = workers
        scorer.detectors = ensemble.detectors
        self._executor = ProcessPoolExecutor(
            workers, multiprocessing.get_context("fork"), _begin, (scorer, os.getpid())
        )
        # Each computes in one thread. Set before the fork and for good: libraries that are limited inside the process,
        # or are given their threads back, start new ones and let them spin.
        threadpool_limits(1)
        # Held back until each process ignores them: one that comes earlier would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
        try:
            with none_lost():
                self._executor.submit(os.getpid).result()  # makes them all
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self, paths: Sequence[str], ensemble: Ensemble) -> Future[Flat]:
        return self._executor.submit(_run, paths, [model.row for model in ensemble.models])

    def stop(self) -> None:
        """End the workers; batches that none has begun are dropped."""
        self._executor.shutdown(cancel_futures=True)


# That of this process, where it is a worker.
_scorer: Scorer | None = None


def _begin(scorer: Scorer, parent: int) -> None:
    """Set up this process: it ends with its parent and not before."""
    global _scorer
    _scorer = scorer
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _run(paths: Sequence[str], rows: Sequence[ModelRow]) -> Flat:
    assert _scorer is not None
    _scorer.load(rows)
    return _scorer.run(paths, _scorer.detectors)
