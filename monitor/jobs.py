"""What the daemon does beside deciding, in the background: the nightly run, and figures for the metrics."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor import nightly, observing
from monitor.choosing import Rules
from monitor.decision import deciding
from monitor.errors import StoreError
from monitor.judging import By
from monitor.schedule import NIGHTLY, DailyJob
from monitor.store import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.config import Configuration
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.store.engine import Database

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 20
"""So often it is looked whether a nightly run is due, which is run once however often anybody looks."""
REFRESH_SECONDS: Final = 300


class Jobs:
    """The daemon's background jobs, one after the other in the thread of a scheduler, which ends with the program."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        metrics: Metrics,
        *,
        in_use: Callable[[], tuple[int, ...]],
        reload: Callable[[], None],
    ) -> None:
        """``in_use``: the calibrations that decide, the primary's first; ``reload`` takes over the store's."""
        self._configuration = configuration
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._in_use = in_use
        self._reload = reload
        self._asked_for: tuple[int, ...] = ()
        self._asked_at = 0.0
        calibration = configuration.settings.calibration
        self._rules = Rules.of(registry, configuration)
        self._nightly = DailyJob(
            database, NIGHTLY, at=calibration.at, time_zone=configuration.time_zone, run=self._recalibrate
        )
        self._begun = False

    def start(self) -> None:
        """Start the scheduler."""
        from apscheduler.executors.debug import DebugExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Where the machine slept or was busy, one late look is enough.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        # Jobs run in the scheduler's own thread: those of a pool are waited for at the end of the program, be it hours.
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": DebugExecutor()}
        )
        now = datetime.now(UTC)
        if self._configuration.settings.calibration.nightly:
            self._scheduler.add_job(self.look, "interval", seconds=LOOK_SECONDS, next_run_time=now)
        self._scheduler.add_job(self.follow, "interval", seconds=LOOK_SECONDS)
        self._scheduler.add_job(self.refresh, "interval", seconds=REFRESH_SECONDS, next_run_time=now)
        self._scheduler.start()

    def stop(self) -> None:
        """Start no job any more; one that is running ends with the program, which does no harm."""
        self._scheduler.pause()

    def look(self) -> None:
        """Run what is due of the nightly run."""
        now = datetime.now(UTC)
        try:
            if not self._begun:
                self._nightly.begin(now)
                self._begun = True
        except StoreError as error:
            log.warning("the nightly run waits: %s; tried again soon", error)
            return
        outcome = self._nightly.tick(now)
        if outcome is not None:
            self._metrics.count_run(NIGHTLY, "failed" if outcome.startswith("failed") else "done")
            self.follow()
            self.refresh()

    def follow(self) -> None:
        """Have the thresholds loaded that the store has now, whoever changed them; asked again where that failed."""
        try:
            with self._database.read() as connection:
                rows = deciding(queries.active_models(connection), self._configuration.settings.decision.detectors)
        except StoreError as error:
            log.warning("whether thresholds have changed cannot be seen: %s", error)
            return
        found = tuple(row.calibration_id for row in rows if row.calibration_id is not None)
        if not found or found == self._in_use():
            self._asked_for = ()
        elif found != self._asked_for or time.monotonic() - self._asked_at >= REFRESH_SECONDS:
            self._asked_for, self._asked_at = found, time.monotonic()
            self._reload()

    def refresh(self) -> None:
        """Publish TPR and TNR in operation, and drift."""
        observing.refresh(self._database, self._configuration, self._metrics, datetime.now(UTC))

    def _recalibrate(self, run_id: int, now: datetime) -> str:
        by = By(now, "nightly", run_id)
        outcomes = nightly.run(self._database, self._registry, self._configuration, by, self._rules)
        for outcome in outcomes:
            self._metrics.count_calibration(outcome.model.detector, outcome.result, outcome.refusal or "")
        return nightly.summary(outcomes)
