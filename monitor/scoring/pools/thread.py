"""Reads and scores in a thread of the program, whose detectors use as many threads of their own as they like.

That is the way on a GPU, and for few crops.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from monitor.scoring.pools.base import ScoringPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.wire import Flat


class ThreadPool(ScoringPool):
    """A single worker, which is a thread."""

    workers = 1

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._executor = ThreadPoolExecutor(1, "scoring")

    def _run(self, paths: Sequence[str], ensemble: Ensemble) -> Future[Flat]:
        return self._executor.submit(self._scorer.run, paths, ensemble.detectors)

    def stop(self) -> None:
        """End the worker; batches that it has not begun are dropped."""
        self._executor.shutdown(cancel_futures=True)
