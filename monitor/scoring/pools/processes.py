"""Where crops are read and scored: in processes, so that every core works, or in a thread.

Decoding a crop, and much of what surrounds a network, holds Python's interpreter lock, so that threads do not add up.
The processes are forked from the program once it has loaded its models, whose memory they share; each takes a batch at
a time and computes in one thread. A single worker is no process but a thread of the program, whose detectors use as
many threads as they like: that is the way on a GPU, and for few crops.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

from threadpoolctl import threadpool_limits

from monitor.scoring.pools.batch import Batch, none_lost
from monitor.scoring.pools.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.wire import Flat
    from monitor.store.models import ModelRow

log = logging.getLogger(__name__)
DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def cores() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0))


def bounded(wished: int) -> int:
    """How many workers there will be: 0 wishes one for each core, and more than these are refused with a warning."""
    most = cores()
    if wished > most:
        log.warning("%d workers would take turns on %s; there will be %d", wished, _in_words(most), most)
    return min(wished or most, most)


class Workers:
    """Reads and scores batches of crops; several at once, each finished in its own time."""

    def __init__(self, configuration: Configuration, registry: Registry, ensemble: Ensemble, wished: int) -> None:
        """Begin with ``wished`` workers at most, 0: one for each core; on a GPU there is one.

        Processes are made here and now: the program must have no thread and no connection that they could not do
        without, and the calling thread must live as long as they shall.
        """
        on_gpu = any(model.detector.device.startswith("cuda") for model in ensemble.models)
        self.count = 1 if on_gpu else bounded(wished)
        scorer = Scorer(configuration, registry)
        # The models and libraries stay: to look them over for garbage again and again takes a twentieth of the time,
        # and the processes would no longer share what is looked over.
        gc.freeze()
        self._executor: Executor
        self._run: Callable[[Sequence[str], Ensemble], Future[list[Flat]]]
        if self.count == 1:
            self._executor = ThreadPoolExecutor(1, "scoring")
            self._run = lambda paths, now: self._executor.submit(scorer.run, paths, _detectors(now))
        else:
            scorer.detectors = _detectors(ensemble)
            self._executor = ProcessPoolExecutor(
                self.count, multiprocessing.get_context("fork"), _begin, (scorer, os.getpid())
            )
            self._run = lambda paths, now: self._executor.submit(_run, paths, [model.row for model in now.models])
            # Each computes in one thread. Said before the fork and for good: libraries that are told so in the process,
            # or are given their threads back, make them anew and let them spin.
            threadpool_limits(1)
            with none_lost():
                self._executor.submit(os.getpid).result()  # makes them all

    def __enter__(self) -> Self:
        """Enter a block at whose end the workers end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, paths: Sequence[str], ensemble: Ensemble) -> Batch:
        """Have files read and scored, not yet decided, by the models of an ensemble; raises `WorkerLostError`."""
        return Batch(paths, lambda rest: self._run(rest, ensemble))

    def stop(self) -> None:
        """End the workers; what none has begun is not done any more."""
        self._executor.shutdown(cancel_futures=True)


_scorer: Scorer | None = None
"""That of this process, where it is a worker."""


def _begin(scorer: Scorer, parent: int) -> None:
    """Set up this process: it ends with its parent and not before."""
    global _scorer
    _scorer = scorer
    # A signal to the whole group of processes, as Ctrl-C is, is the parent's to answer.
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _run(paths: Sequence[str], rows: Sequence[ModelRow]) -> list[Flat]:
    assert _scorer is not None
    _scorer.load(rows)
    return _scorer.run(paths, _scorer.detectors)


def _detectors(ensemble: Ensemble) -> dict[int, Detector]:
    return {model.id: model.detector for model in ensemble.models}


def _in_words(count: int) -> str:
    return "one core" if count == 1 else f"{count} cores"
