"""Chooses where crops are read and scored: in processes, so that every core works, or in a thread."""

from __future__ import annotations

import gc
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from threadpoolctl import threadpool_limits

from monitor.scoring.pools.apart import ApartWorker
from monitor.scoring.pools.processes import Nursery, ProcessWorker
from monitor.scoring.pools.scorer import Scorer
from monitor.scoring.pools.thread import ThreadWorker
from monitor.scoring.pools.trail import Trail
from monitor.scoring.pools.watched import WatchedPool

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble


log = logging.getLogger(__name__)


# How many threads may take too long until the program has to end: each goes on taking a processor.
MOST_LOST_THREADS: Final = 4
# Python looks for garbage after so many new objects, which some hundred crops make. With its own 700, the objects of
# each batch are looked through several times while it is under way, which takes a twelfth of the main process's time.
OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000


def open_pool(
    configuration: Configuration,
    registry: Registry,
    ensemble: Ensemble,
    wished: int,
    *,
    remember: bool = True,
    root: Path | None = None,
) -> WatchedPool:
    """Begin a pool with ``wished`` workers at most, 0: one for each core; on a GPU there is one.

    Several workers are processes, and what they are forked from is forked here and now: the program must have no thread
    and no connection that they could not do without, and the calling thread must live as long as they shall.

    ``remember``: should the program be killed, let the next one know by the state folder which files were in hand.
    ``root``: a folder below which no link is followed, beside the watched ones.
    """
    on_gpu = any(model.detector.device.startswith("cuda") for model in ensemble.models)
    workers = 1 if on_gpu else bounded(wished)
    scorer = Scorer(configuration, registry, root)
    # The models and libraries stay: looking through them for garbage again and again takes a twentieth of the time, and
    # the processes would no longer share the memory that is looked through.
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    state = configuration.state if remember else None
    seconds = configuration.settings.pipeline.seconds_per_crop
    return (
        _in_a_thread(configuration, scorer, state, seconds, root)
        if workers == 1
        else _in_processes(scorer, ensemble, workers, state, seconds)
    )


def _in_a_thread(
    configuration: Configuration, scorer: Scorer, state: Path | None, seconds: float, root: Path | None
) -> WatchedPool:
    trail = Trail(state, 1 + MOST_LOST_THREADS + 1)
    pool = WatchedPool(scorer, trail, seconds, lambda: ApartWorker(configuration, trail, MOST_LOST_THREADS + 1, root))
    slots = iter(trail.slots[:-1])
    pool.start([lambda: ThreadWorker(scorer, slots, pool.finished)])
    return pool


def _in_processes(scorer: Scorer, ensemble: Ensemble, workers: int, state: Path | None, seconds: float) -> WatchedPool:
    trail = Trail(state, workers)
    scorer.detectors = ensemble.detectors
    # Each computes in one thread. Set before the fork and for good: libraries that are limited inside the process, or
    # are given their threads back, start new ones and let them spin.
    threadpool_limits(1)
    nursery = Nursery(scorer, trail)
    pool = WatchedPool(scorer, trail, seconds, closing=nursery.stop)
    pool.start([partial(ProcessWorker, nursery, number) for number in range(workers)])
    return pool


def cores() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0))


def bounded(wished: int) -> int:
    """How many workers there will be: 0 asks for one for each core, and more than those are refused with a warning."""
    most = cores()
    if wished > most:
        log.warning("%d workers would only take turns on %s; using %d", wished, _in_words(most), most)
    return min(wished or most, most)


def _in_words(count: int) -> str:
    return "one core" if count == 1 else f"{count} cores"
