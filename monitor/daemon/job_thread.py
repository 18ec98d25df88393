"""The thread that the scheduler's jobs run in, one after the other."""

from __future__ import annotations

import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

from apscheduler.executors.base import BaseExecutor, MaxInstancesReachedError, run_job


class OneThread(BaseExecutor):  # type: ignore[misc] # the library has no types
    """Runs jobs in the order in which they became due, in a thread that ends with the program.

    The library's own pools would hold up the end of the program until their threads have finished, which may take
    hours. Its executor without threads keeps the scheduler locked while a job runs, so every call to it would wait.
    """

    def start(self, scheduler: Any, alias: str) -> None:
        """Start the thread."""
        super().start(scheduler, alias)
        self._due: SimpleQueue[tuple[Any, list[Any]]] = SimpleQueue()
        self._stopped = False
        Thread(target=self._work, name="jobs", daemon=True).start()

    def shutdown(self, wait: bool = True) -> None:  # noqa: ARG002 - the signature is the library's
        """Begin no further job, without waiting for a running one."""
        self._stopped = True

    def submit_job(self, job: Any, run_times: list[Any]) -> None:
        """Queue a job unless it is queued already: the scheduler would warn each time behind a long one."""
        with suppress(MaxInstancesReachedError):
            super().submit_job(job, run_times)

    def _do_submit_job(self, job: Any, run_times: list[Any]) -> None:
        self._due.put((job, run_times))

    def _work(self) -> None:
        while True:
            job, run_times = self._due.get()
            if not self._stopped:
                self._run(job, run_times)

    def _run(self, job: Any, run_times: list[Any]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except BaseException:  # noqa: BLE001 - as in the library's executors; it is logged
            self._run_job_error(job.id, *sys.exc_info()[1:])
        else:
            self._run_job_success(job.id, events)
