"""A pool whose workers are watched: one that ends or takes too long is replaced, and what it had in hand is not lost.

Submitted files go to a worker that has room for them, or wait. A thread, the overseer, takes the workers' answers,
hands out what waits, and looks several times a second at where each worker is.

A task is answered with its first files, as many as were worked on together. That is how suspects come to be alone: a
task that begins with one is answered with it, and a task with one further on is answered with the files before it.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError, WorkerLostError
from monitor.files.text import printable
from monitor.scoring.pools.base import ScoringPool
from monitor.scoring.pools.judge import Judge
from monitor.scoring.pools.remote import RemoteWorker
from monitor.scoring.pools.suspects import Suspects
from monitor.scoring.pools.worker import TASKS, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.suspects import GivenUp
    from monitor.scoring.pools.trail import Trail
    from monitor.scoring.pools.wire import Flat
    from monitor.scoring.pools.worker import Excess, Worker

log = logging.getLogger(__name__)

# How often to look where the workers are.
LOOK_SECONDS: Final = 0.25
# A task that has waited behind another one for so long goes to an idle worker as well.
WAITS_SECONDS: Final = 0.5
# A worker for suspects alone ends when it has had nothing to do for so long.
APART_SECONDS: Final = 5.0


class WatchedPool(ScoringPool):
    """Workers and their overseer."""

    def __init__(
        self,
        scorer: Scorer,
        trail: Trail,
        seconds_per_crop: float,
        apart: Callable[[], RemoteWorker] | None = None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        """``apart`` makes the worker that suspects are given to; without it they go to the others.

        ``closing`` is called at the end, when no worker is left.
        """
        self.workers = 0
        self._scorer = scorer
        self._trail = trail
        self._seconds = seconds_per_crop
        self._make_apart = apart
        self._closing = closing
        self._suspects = Suspects(trail.left_over)
        self._judge = Judge(self._suspects, seconds_per_crop)
        self._lock = threading.Lock()
        # Each with what makes another one in its place.
        self._workers: dict[Worker, Callable[[], Worker]] = {}
        self._apart: RemoteWorker | None = None
        self._waiting: deque[Task] = deque()
        self._broken: MonitorError | None = None
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._overseer = threading.Thread(target=self._oversee, name="overseer", daemon=True)
        if trail.left_over:
            log.warning(
                "%d files were in hand when an earlier run was killed, the first of them %s; each is tried alone",
                len(trail.left_over), printable(trail.left_over[0]),
            )  # fmt: skip

    def start(self, makers: Sequence[Callable[[], Worker]]) -> None:
        """Make a worker by each of these, now and whenever it has ended, and begin to watch them."""
        self.workers = len(makers)
        for make in makers:
            self._take_on(make)
        self._overseer.start()

    def _run(self, paths: Sequence[str], ensemble: Ensemble) -> Future[Flat]:
        task = Task(paths, ensemble, Future())
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._waiting.append(task)
            given_up = self._hand_out()
        self._answer(given_up)
        return task.future

    def finished(self, worker: Worker, answer: Callable[[], Flat]) -> None:
        """Take a worker's answer to the task that it had in hand."""
        with self._lock:
            if worker is not self._apart and worker not in self._workers:
                return  # it was replaced, and somebody else has its task
            task = worker.finished()
            first, task.done = not task.done, True
            self._judge.acquit(task.together)
            given_up = self._hand_out()
        self._answer(given_up)
        if not first:
            return
        try:
            flat = answer()
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever waits for the answer gets it
            task.future.set_exception(error)
        else:
            task.future.set_result(flat)

    def stop(self) -> None:
        """End the workers, whatever they have in hand."""
        self._give_up(WorkerLostError("the crops were still being scored when the program ended"))
        os.eventfd_write(self._wake, 1)
        self._overseer.join()
        for worker in self._everyone():
            worker.close()
        self._workers, self._apart = {}, None
        self._closing()
        self._trail.close()
        self._selector.close()
        os.close(self._wake)

    def _everyone(self) -> list[Worker]:
        return [*self._workers, *([self._apart] if self._apart else [])]

    def _take_on(self, make: Callable[[], Worker]) -> None:
        worker = make()
        self._workers[worker] = make
        if isinstance(worker, RemoteWorker):
            self._selector.register(worker.connection, selectors.EVENT_READ, worker)

    def _hand_out(self) -> list[tuple[Task, GivenUp]]:
        """Hand out what waits, as far as workers have room; returns the tasks whose first file was given up.

        To be called with the lock.
        """
        given_up: list[tuple[Task, GivenUp]] = []
        for _ in range(len(self._waiting)):
            task = self._waiting.popleft()
            reason = self._suspects.given_up(task.paths[0])
            if reason is not None:
                task.done = True
                given_up.append((task, reason))
                continue
            task.first = self._suspects.together(task.paths)
            worker = self._with_room(task)
            if worker is None:
                self._waiting.append(task)
            else:
                worker.hand(task)
        return given_up

    def _with_room(self, task: Task) -> Worker | None:
        """The worker that should be given a task now; None where all have enough to do."""
        among: Collection[Worker] = self._workers
        if self._make_apart is not None and task.paths[0] in self._suspects:
            # Where there is none yet, the overseer makes it as soon as it looks.
            among = [self._apart] if self._apart is not None else []
        free = [worker for worker in among if len(worker.tasks) < TASKS]
        # An idle one, or else the one that began last with what it has in hand: not one that stands still.
        return min(free, key=lambda worker: (len(worker.tasks), -worker.busy_since), default=None)

    def _answer(self, given_up: Sequence[tuple[Task, GivenUp]]) -> None:
        for task, reason in given_up:
            task.future.set_result(self._scorer.given_up(task.paths[0], reason, task.ensemble.model_ids))

    def _oversee(self) -> None:
        next_look = 0.0
        try:
            while self._broken is None:
                for key, _ in self._selector.select(LOOK_SECONDS):
                    if isinstance(key.data, RemoteWorker):
                        self._hear(key.data)
                now = time.monotonic()
                if now >= next_look:
                    next_look = now + LOOK_SECONDS
                    self._look(now)
        except MonitorError as error:
            self._give_up(error)
        except BaseException as error:
            log.critical("watching the scoring of crops failed by a defect", exc_info=True)
            self._give_up(WorkerLostError(f"watching the scoring of crops failed by a defect: {error!r}"))

    def _hear(self, worker: RemoteWorker) -> None:
        try:
            answer = worker.take()
        except (EOFError, OSError):
            self._replace(worker, None)
        else:
            self.finished(worker, answer)

    def _look(self, now: float) -> None:
        for worker in self._everyone():
            excess = worker.excess(now, self._seconds)
            if excess is not None:
                self._replace(worker, excess)
        with self._lock:
            self._relieve(now)
            if self._apart is not None and not self._apart.tasks and now - self._apart.busy_since > APART_SECONDS:
                self._selector.unregister(self._apart.connection)
                self._apart.end()
                self._apart = None
        self._provide_apart()

    def _provide_apart(self) -> None:
        """Make the worker for suspects if one waits for it; raises `WorkerLostError`.

        Only the overseer does: the worker is killed when the thread ends that has made it, and whichever thread hands
        out a task has nothing to answer it with where no worker can be made.
        """
        if self._make_apart is None or self._apart is not None:
            return
        with self._lock:
            is_wanted = any(task.paths[0] in self._suspects for task in self._waiting)
        if not is_wanted:
            return
        made = self._make_apart()
        with self._lock:
            self._apart = made
            self._selector.register(made.connection, selectors.EVENT_READ, made)
            given_up = self._hand_out()
        self._answer(given_up)

    def _relieve(self, now: float) -> None:
        """Give tasks that wait behind a long one to idle workers as well; the first answer counts."""
        for worker in self._workers:
            idle = next((other for other in self._workers if not other.tasks), None)
            if idle is not None and len(worker.tasks) == TASKS and now - worker.busy_since > WAITS_SECONDS:
                task = worker.tasks[1][1]
                if not task.done and self._in_hand_of(task) == 1:
                    idle.hand(task)

    def _in_hand_of(self, task: Task) -> int:
        """How many workers have a task."""
        return sum(one is task for worker in self._everyone() for _, one in worker.tasks)

    def _replace(self, worker: Worker, excess: Excess | None) -> None:
        """Put another worker in the place of one that has ended, or that takes too long."""
        if isinstance(worker, RemoteWorker):
            self._selector.unregister(worker.connection)
        with self._lock:
            # Nothing must be handed to it meanwhile: what is written to a connection that is being closed may go to
            # whatever is opened next.
            how = worker.end()
            # From here on its answers count no more.
            make = self._workers.pop(worker, None)
            if make is None:
                self._apart = None
            for _, task in reversed(worker.tasks):
                if not task.done and not self._in_hand_of(task):
                    self._waiting.appendleft(task)
            self._judge.judge(worker, excess, how)
            if make is not None:
                self._take_on(make)
            given_up = self._hand_out()
        self._answer(given_up)

    def _give_up(self, error: MonitorError) -> None:
        """Answer everything that is not answered yet with an error, now and from now on."""
        with self._lock:
            self._broken = self._broken or error
            tasks = [*self._waiting, *(task for worker in self._everyone() for _, task in worker.tasks)]
            left = [task for task in dict.fromkeys(tasks) if not task.done]
            for task in left:
                task.done = True
            self._waiting.clear()
        for task in left:
            task.future.set_exception(error)
