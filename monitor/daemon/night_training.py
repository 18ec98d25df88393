"""Trains a model from labels at night, in a process of its own, so that no decision waits for it.

The process has the lowest priority and computes in one thread. The slot is this program's for as long as the process
works: its lease is renewed whenever the scheduler looks. A process that ends by a failure or a signal closes the slot
with its reason, and the models in use stay. It ends with this program; the slot is then open, and the next program goes
on once the lease is over.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from monitor.daemon.schedule import DailySlots
from monitor.errors import StoreError
from monitor.scoring.pools.remote import in_words
from monitor.store.runs import RETRAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.daemon.schedule import Claimed
    from monitor.metrics import Metrics
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# Every library that computes reads one of them when it is loaded.
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class NightTraining:
    """The nightly training of a daemon."""

    def __init__(
        self, configuration: Configuration, database: Database, metrics: Metrics, ended: Callable[[], None]
    ) -> None:
        """``ended`` is called when a training has ended, whatever came of it."""
        self._metrics = metrics
        self._ended = ended
        self._command = command(configuration)
        at = configuration.settings.learning.retrain_at
        self._slots = DailySlots(database, RETRAIN, at=at, time_zone=configuration.time_zone)
        self._begun = False
        self._claimed: Claimed | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._answer: IO[bytes] | None = None
        self._stopped = False

    def look(self) -> None:
        """Begin a training that is due, or see what has become of the one that is running."""
        now = datetime.now(UTC)
        try:
            if not self._begun:
                self._slots.begin(now)
                self._begun = True
            if self._process is not None:
                self._follow(self._process, now)
            elif not self._stopped:
                self._claimed = self._slots.claim(now)
                if self._claimed is not None:
                    self._start(self._claimed)
        except StoreError as error:
            self._slots.wait(error, now)

    def stop(self) -> None:
        """End a training that is running; the next program begins it anew."""
        self._stopped = True
        if self._process is not None:
            self._process.terminate()

    def _start(self, claimed: Claimed) -> None:
        log.info("the %s run of %s begins, in a process of its own", RETRAIN, self._slots.due(claimed.slot))
        self._answer = os.fdopen(os.memfd_create("retraining"), "w+b")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - it is this program
                [*self._command, str(claimed.run_id)],
                stdin=subprocess.DEVNULL,
                stdout=self._answer,
                env={**os.environ, **ONE_THREAD},
            )
        except OSError as error:
            self._finish(claimed, {"summary": f"failed: the process cannot be started: {error.strerror}"})

    def _follow(self, process: subprocess.Popen[bytes], now: datetime) -> None:
        assert self._claimed is not None
        code = process.poll()
        if code is None:
            self._slots.keep(self._claimed.slot, now)
        elif not self._stopped:
            self._finish(self._claimed, self._read(code))

    def _read(self, code: int) -> dict[str, Any]:
        """What the process says came of it."""
        assert self._answer is not None
        self._answer.seek(0)
        try:
            found = json.loads(self._answer.read())
        except ValueError:
            found = None
        if code == 0 and isinstance(found, dict):
            return found
        return {
            "summary": f"failed: the training ended with {in_words(code)}; the models in use stay, and it is tried "
            "again the next night"
        }

    def _finish(self, claimed: Claimed, found: dict[str, Any]) -> None:
        summary = str(found["summary"])
        # First: where the database refuses, all of it is done once more.
        self._slots.finish(claimed, summary, datetime.now(UTC))
        self._process, self._claimed, self._answer = None, None, None
        failed = summary.startswith("failed")
        self._metrics.count_run(RETRAIN, "failed" if failed else "done")
        if "detector" in found:
            self._metrics.count_retraining(found["detector"], found["result"], found["refusal"] or "")
        _log(found, failed=failed)
        self._ended()


def command(configuration: Configuration) -> Sequence[str]:
    """How the process is started, but for the run's id."""
    named = [] if configuration.file is None else ["--config", str(configuration.file)]
    # Without the working folder among the places where modules are looked for.
    return [sys.executable, "-P", "-m", "monitor", *named, "retrain", "--scheduled"]


def _log(found: dict[str, Any], *, failed: bool) -> None:
    for note in found.get("notes", ()):
        log.warning("learning from labels: %s", note)
    if failed:
        log.error("learning from labels: %s", found["summary"])
    elif found.get("result") == "refused":
        name = found["model"] or found["detector"]
        log.warning("learning from labels: %s is refused (%s): %s", name, found["refusal"], found["reason"])
    elif found.get("reason"):
        log.info("learning from labels: %s: %s", found["summary"], found["reason"])
