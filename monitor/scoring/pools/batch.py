"""Paths on their way to a worker and back."""

from __future__ import annotations

import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.errors import WorkerLostError
from monitor.scoring.pools import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from monitor.scoring.pools.wire import Flat
    from monitor.scoring.work import Work


class Batch:
    """A batch of files, by their ``paths``, on its way through the workers."""

    def __init__(self, paths: Sequence[str], run: Callable[[Sequence[str]], Future[list[Flat]]]) -> None:
        """``run`` begins to read and score paths, the first of them at least."""
        self._seen_at = datetime.now(UTC)
        self.paths = paths
        self._run = run
        with none_lost():
            self._future = run(paths)

    def result(self, on_part: Callable[[], None] = lambda: None) -> list[Work]:
        """Wait for the crops, one for each path, in their order; raises `WorkerLostError`.

        A batch of large pictures comes in parts, and ``on_part`` is called after each.
        """
        with none_lost():
            found = self._future.result()
            while len(found) < len(self.paths):
                on_part()
                found += self._run(self.paths[len(found) :]).result()
        seen_at = self._seen_at
        return [wire.restored(path, seen_at, flat) for path, flat in zip(self.paths, found, strict=True)]


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
