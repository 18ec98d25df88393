"""A batch of files that a pool is reading and scoring."""

from __future__ import annotations

import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor.errors import WorkerLostError
from monitor.scoring.pools import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from monitor.scoring.batches import ScoredBatch
    from monitor.scoring.pools.wire import Asked, Flat


class PendingBatch:
    """Files on their way through a pool."""

    def __init__(self, asked: Asked, run: Callable[[Sequence[str]], Future[Flat]]) -> None:
        """``run`` begins to read and score paths; it may end with the first of them alone, where pictures are large."""
        self._asked = asked
        self._run = run
        with none_lost():
            self._future = run(asked.paths)

    @property
    def paths(self) -> Sequence[str]:
        """The files that were asked for."""
        return self._asked.paths

    def parts(self) -> Iterator[ScoredBatch]:
        """Wait for the crops, all together unless the pictures are large; raises `WorkerLostError`.

        The parts hold the files in their order. To be called once.
        """
        rest = self._asked
        while rest.paths:
            with none_lost():
                values = self._future.result()
                done, rest = rest, rest.after(len(values.digests))
                if rest.paths:
                    self._future = self._run(rest.paths)
            yield wire.restored(done, values)


@contextmanager
def none_lost() -> Iterator[None]:
    """Raise `WorkerLostError` where a worker ends before its work does."""
    try:
        yield
    except BrokenProcessPool:
        # The executor asks the others to end by a signal that they leave to the program, and would wait for ever.
        for process in multiprocessing.active_children():
            process.kill()
        raise WorkerLostError(
            "a process that scores crops was ended from outside, as the system does when memory runs out; start "
            "again, with pipeline.workers = 1 if it happens once more"
        ) from None
