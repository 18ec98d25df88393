"""A worker that is a thread of the program, whose detectors use as many threads of their own as they like.

That is the way on a GPU, and for few crops. A thread cannot be ended: one that takes too long is left to itself, and
another one goes on. It fails at its next step, and until then it takes a processor.
"""

from __future__ import annotations

import time
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Protocol

from monitor.errors import WorkerLostError
from monitor.scoring.pools.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.trail import Slot
    from monitor.scoring.pools.wire import Flat
    from monitor.scoring.pools.worker import Task


class Done(Protocol):
    """Takes what a worker says of its task, in the worker's thread."""

    def __call__(self, worker: Worker, answer: Callable[[], Flat], /) -> None:
        """``answer`` returns the answer, or raises what the task ended by."""


class ThreadWorker(Worker):
    """A worker that is a thread."""

    def __init__(self, scorer: Scorer, slots: Iterator[Slot], done: Done) -> None:
        """``slots``: one for this worker and for each that may have to take its place.

        Raises `WorkerLostError` when there is none left.
        """
        slot = next(slots, None)
        if slot is None:
            raise WorkerLostError(
                "too many crops took too long, and the threads that still work on them cannot be ended; start again, "
                "which leaves those crops out"
            )
        super().__init__(slot)
        self._scorer = scorer
        self._done = done
        self._queue: SimpleQueue[tuple[int, Task] | None] = SimpleQueue()
        self._clock: int | None = None
        # The program need not wait for it.
        self._thread = Thread(target=self._work, name="scoring", daemon=True)
        self._thread.start()

    def cpu_seconds(self) -> float:
        """Of the thread alone: the others that a detector may have work while it works or waits."""
        return time.clock_gettime(self._clock) if self._clock is not None and self._thread.is_alive() else 0.0

    def end(self) -> str:
        """Let it end, at the latest at its next step."""
        self.slot.revoke()
        self._queue.put(None)
        return "it was left to itself"

    def close(self) -> None:
        """Let it end."""
        self.end()

    def _send(self, number: int, task: Task) -> None:
        self._queue.put((number, task))

    def _work(self) -> None:
        self._clock = time.pthread_getcpuclockid(self._thread.ident or 0)
        while (handed := self._queue.get()) is not None:
            number, task = handed
            try:
                self.slot.begin(number)
                flat = self._scorer.run(self.slot, number, task.ensemble.detectors)
                self.slot.rest()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it
                self._done(self, _raises(error))
            else:
                self._done(self, lambda flat=flat: flat)  # type: ignore[misc]


def _raises(error: BaseException) -> Callable[[], Flat]:
    def answer() -> Flat:
        raise error

    return answer
