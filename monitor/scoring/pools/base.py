"""What every pool can do, wherever it reads and scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from monitor.scoring.pools.batch import PendingBatch
from monitor.scoring.pools.wire import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.wire import Flat
    from monitor.words import Label, Source


class ScoringPool(ABC):
    """Reads and scores batches of files; several at once, each finished in its own time.

    ``workers``: how many batches are worked on at the same time.
    """

    workers: int

    def __enter__(self) -> Self:
        """Enter a block at whose end the pool ends."""
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(
        self,
        paths: Sequence[str],
        ensemble: Ensemble,
        *,
        source: Source = "inbox",
        labels: Sequence[Label | None] | None = None,
    ) -> PendingBatch:
        """Have files read and scored, not yet decided, by the models of an ensemble; raises `WorkerLostError`.

        ``labels``: what the labelled folder says of each file.
        """
        asked = Asked(paths, datetime.now(UTC), source, [None] * len(paths) if labels is None else labels)
        return PendingBatch(asked, lambda rest: self._run(rest, ensemble))

    @abstractmethod
    def _run(self, paths: Sequence[str], ensemble: Ensemble) -> Future[Flat]:
        """Begin to read and score files, or the first of them."""

    @abstractmethod
    def stop(self) -> None:
        """End the workers; batches that none has begun are dropped."""
