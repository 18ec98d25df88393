"""What the daemon does beside deciding, in the background: the nightly run, and figures for the metrics."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor import nightly, observing
from monitor.errors import StoreError
from monitor.recalibration import By
from monitor.schedule import DailyJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.config import Configuration
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.store.engine import Database

log = logging.getLogger(__name__)

NIGHTLY_LOOK_SECONDS: Final = 20
"""So often it is looked whether a nightly run is due; a slot is run once however often anybody looks."""
REFRESH_SECONDS: Final = 60


class Jobs:
    """The daemon's background jobs, one at a time, in threads of APScheduler."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        metrics: Metrics,
        reload: Callable[[], None],
    ) -> None:
        """``reload`` is called when a threshold has changed."""
        self._configuration = configuration
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._reload = reload
        calibration = configuration.settings.calibration
        self._nightly = DailyJob(
            database, nightly.JOB, at=calibration.at, time_zone=configuration.time_zone, run=self._recalibrate
        )
        self._begun = False

    def start(self) -> None:
        """Start the scheduler; its threads end with the program."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Where the machine slept or was busy, one late look is enough.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": ThreadPoolExecutor(1)}
        )
        now = datetime.now(UTC)
        if self._configuration.settings.calibration.nightly:
            self._scheduler.add_job(self.look, "interval", seconds=NIGHTLY_LOOK_SECONDS, next_run_time=now)
        self._scheduler.add_job(self.refresh, "interval", seconds=REFRESH_SECONDS, next_run_time=now)
        self._scheduler.start()

    def stop(self) -> None:
        """Start no job any more; one that is running ends with the program, which does no harm."""
        self._scheduler.shutdown(wait=False)

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
            self._metrics.count_run(nightly.JOB, "failed" if outcome.startswith("failed") else "done")
            self.refresh()

    def refresh(self) -> None:
        """Publish TPR and TNR in operation, and drift."""
        observing.refresh(self._database, self._configuration, self._metrics, datetime.now(UTC))

    def _recalibrate(self, run_id: int, now: datetime) -> str:
        outcomes = nightly.run(self._database, self._registry, self._configuration, By(now, "nightly", run_id))
        for outcome in outcomes:
            self._metrics.count_calibration(outcome.model.detector, outcome.result, outcome.refusal or "")
        if any(outcome.result == "activated" for outcome in outcomes):
            self._reload()
        return nightly.summary(outcomes)
