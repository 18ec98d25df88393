"""A batch of files that a pool is reading and scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.scoring.pools import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from monitor.scoring.batches import ScoredBatch
    from monitor.scoring.pools.wire import Asked, Flat


class PendingBatch:
    """Files on their way through a pool, which come back in parts: mostly all together.

    Where pictures are large, or a worker ended by one of the files, each part has the next few of them.
    """

    def __init__(self, asked: Asked, run: Callable[[Sequence[str]], Future[Flat]]) -> None:
        """``asked``: one file at least. ``run`` begins to read and score paths; it may end with the first of them."""
        self._run = run
        self._rest = asked
        self.paths = asked.paths
        self._future = run(asked.paths)

    @property
    def is_done(self) -> bool:
        """Whether all files have come back."""
        return not self._rest.paths

    @property
    def is_ready(self) -> bool:
        """Whether the next part can be had without waiting."""
        return self._future.done()

    def when_ready(self, call: Callable[[], None]) -> None:
        """Have a function called, in any thread, as soon as the next part can be had without waiting."""
        self._future.add_done_callback(lambda _: call())

    def next_part(self) -> ScoredBatch:
        """Wait for the next files, in their order; raises `WorkerLostError`. To be called unless all are done."""
        values = self._future.result()
        asked, self._rest = self._rest, self._rest.after(len(values.digests))
        if self._rest.paths:
            self._future = self._run(self._rest.paths)
        return wire.restored(asked, values)

    def parts(self) -> Iterator[ScoredBatch]:
        """Wait for all files; raises `WorkerLostError`."""
        while not self.is_done:
            yield self.next_part()
