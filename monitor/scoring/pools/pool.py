"""Chooses where crops are read and scored: in processes, so that every core works, or in a thread."""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING

from monitor.scoring.pools.processes import ProcessPool
from monitor.scoring.pools.scorer import Scorer
from monitor.scoring.pools.thread import ThreadPool

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.base import ScoringPool

log = logging.getLogger(__name__)


def open_pool(configuration: Configuration, registry: Registry, ensemble: Ensemble, wished: int) -> ScoringPool:
    """Begin a pool with ``wished`` workers at most, 0: one for each core; on a GPU there is one.

    Several workers are processes, and they are forked here and now: the program must have no thread and no connection
    that they could not do without, and the calling thread must live as long as they shall.
    """
    on_gpu = any(model.detector.device.startswith("cuda") for model in ensemble.models)
    workers = 1 if on_gpu else bounded(wished)
    scorer = Scorer(configuration, registry)
    # The models and libraries stay: looking through them for garbage again and again takes a twentieth of the time, and
    # the processes would no longer share the memory that is looked through.
    gc.freeze()
    return ThreadPool(scorer) if workers == 1 else ProcessPool(scorer, ensemble, workers)


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
