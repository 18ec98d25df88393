"""What the daemon does in the background: the nightly run, retention, and figures for the metrics."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.daemon.night_training import NightTraining
from monitor.daemon.schedule import DailyJob
from monitor.errors import InboxDoubtError, StoreDoubtError, StoreError
from monitor.metrics.refresh import publish_completeness, refresh_figures, restore_holes
from monitor.scoring.ensemble import shadow_models
from monitor.scoring.vote import deciding
from monitor.store import models
from monitor.store.runs import NIGHTLY, RETENTION
from monitor.thresholds import nightly
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.rules import Rules
from monitor.upkeep import retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.resolved import Configuration
    from monitor.inbox.backlog import Backlog
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often to check whether a daily job is due; each runs once per slot, however often it is checked.
CHECK_SECONDS: Final = 20
# How often to see whether a training has ended.
LOOK_SECONDS: Final = 5
# How often the figures for the metrics are worked out, and the id of the job that does it.
REFRESH_SECONDS: Final = 300
REFRESH: Final = "refresh"
BACKLOG_SECONDS: Final = 5
INTERVALS_SECONDS: Final = 60
# A clock that differs by more than this from the time that has passed was set.
CLOCK_JUMP_SECONDS: Final = 2.0
# Counting which crops came may take at most this share of the time; where it is slow, it is done less often.
INTERVALS_SHARE: Final = 0.02


class Jobs:
    """The daemon's background jobs, one after the other in a thread that ends with the program."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        metrics: Metrics,
        *,
        in_use: Callable[[], tuple[int, ...]],
        reload: Callable[[], None],
        backlog: Backlog | None = None,
    ) -> None:
        """``in_use``: the calibrations that decide, the primary's first. ``reload`` loads those of the store.

        ``backlog``: kept up to date where there is one.
        """
        self._configuration = configuration
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._in_use = in_use
        self._reload = reload
        self._backlog = backlog
        self._restored = False
        self._asked_for: tuple[int, ...] = ()
        self._asked_at = 0.0
        calibration = configuration.settings.calibration
        self._rules = Rules.of(registry, configuration)
        self._nightly = DailyJob(
            database, NIGHTLY, at=calibration.at, time_zone=configuration.time_zone, run=self._recalibrate
        )
        self._retention = DailyJob(
            *(database, RETENTION),
            at=configuration.settings.store.at,
            time_zone=configuration.time_zone,
            run=self._prune,
        )
        self._training = NightTraining(configuration, database, metrics, self._trained)
        self._begun: set[str] = set()
        self._count_again_at = 0.0
        self._clock_ahead = _clock_ahead()

    def start(self) -> None:
        """Start the scheduler."""
        from apscheduler.schedulers.background import BackgroundScheduler

        from monitor.daemon.job_thread import OneThread

        # Where the machine slept or was busy, one late check is enough.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._executor = OneThread()
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": self._executor}
        )
        now = datetime.now(UTC)
        # What has been due for longer runs first: a nightly run that is caught up must not keep alerts from seeing
        # which holes are silent, and the figures should include the runs.
        before, after = now - timedelta(seconds=1), now + timedelta(seconds=0.1)
        self._scheduler.add_job(self.restore, "interval", seconds=CHECK_SECONDS, next_run_time=before)
        if self._backlog is not None:
            self._scheduler.add_job(self._backlog.look, "interval", seconds=BACKLOG_SECONDS)
        if self._configuration.settings.calibration.nightly:
            self._scheduler.add_job(self.run_nightly, "interval", seconds=CHECK_SECONDS, next_run_time=now)
        if self._configuration.settings.learning.enabled:
            self._scheduler.add_job(self._training.look, "interval", seconds=LOOK_SECONDS, next_run_time=now)
        if self._configuration.settings.store.keep_days:
            self._scheduler.add_job(self.run_retention, "interval", seconds=CHECK_SECONDS, next_run_time=now)
        self._scheduler.add_job(self.follow, "interval", seconds=CHECK_SECONDS)
        # Two may run: the first may already have read what the second was asked for because of.
        self._scheduler.add_job(
            *(self.refresh, "interval"), seconds=REFRESH_SECONDS, next_run_time=after, id=REFRESH, max_instances=2
        )
        if self._configuration.settings.completeness.interval_seconds:
            self._scheduler.add_job(self.count_intervals, "interval", seconds=INTERVALS_SECONDS, next_run_time=now)
        self._scheduler.start()

    def refresh_now(self) -> None:
        """Work out the figures again, in the background."""
        self._scheduler.modify_job(REFRESH, next_run_time=datetime.now(UTC))

    def follow_clock(self) -> None:
        """Run every job now if the clock was set; to be called often.

        The scheduler would sleep until the time that it planned, for as long as the clock was put back.
        """
        ahead = _clock_ahead()
        jumped, self._clock_ahead = ahead - self._clock_ahead, ahead
        if abs(jumped) < CLOCK_JUMP_SECONDS:
            return
        log.warning("the clock was set by %+.0f seconds; every scheduled job is checked again", jumped)
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def stop(self) -> None:
        """Start no further job; one that is running ends with the program, which does no harm."""
        self._scheduler.pause()
        self._training.stop()
        self._executor.shutdown(wait=False)

    def run_nightly(self) -> None:
        """Do the nightly run if it is due."""
        if self._run_due(NIGHTLY, self._nightly):
            self.follow()
            self.refresh()

    def _trained(self) -> None:
        """A training has ended: a model may be in the shadow now, or decide."""
        self.follow()
        self.refresh()

    def run_retention(self) -> None:
        """Delete old decisions if that is due."""
        self._run_due(RETENTION, self._retention)

    def _run_due(self, name: str, job: DailyJob) -> bool:
        """Run the job's slot unless a program already has; returns whether it was run."""
        now = datetime.now(UTC)
        try:
            if name not in self._begun:
                job.begin(now)
                self._begun.add(name)
        except StoreError as error:
            log.warning("the %s run waits: %s; it will be tried again soon", name, error)
            return False
        outcome = job.tick(now)
        if outcome is not None:
            self._metrics.count_run(name, "failed" if outcome.startswith("failed") else "done")
        return outcome is not None

    def follow(self) -> None:
        """Ask for a reload when the thresholds in the store are not those in use; again later where that failed."""
        try:
            with self._database.read() as connection:
                detectors = self._configuration.settings.decision.detectors
                rows = deciding(models.active_models(connection), detectors)
                rows += shadow_models(connection, detectors)
        except StoreError as error:
            log.warning("cannot check whether thresholds have changed: %s", error)
            return
        found = tuple(row.calibration_id for row in rows if row.calibration_id is not None)
        if not found or found == self._in_use():
            self._asked_for = ()
        elif found != self._asked_for or time.monotonic() - self._asked_at >= REFRESH_SECONDS:
            self._asked_for, self._asked_at = found, time.monotonic()
            self._reload()

    def restore(self) -> None:
        """Publish the last crop of each hole as the store has it, once."""
        if self._restored:
            return
        try:
            restore_holes(self._database, self._configuration, self._metrics, datetime.now(UTC))
        except StoreError as error:
            log.warning("the last crop of each hole is not known yet: %s; it will be tried again soon", error)
        else:
            self._restored = True

    def refresh(self) -> None:
        """Publish TPR and TNR in operation, and drift."""
        refresh_figures(self._database, self._configuration, self._metrics, datetime.now(UTC))

    def count_intervals(self) -> None:
        """Publish which expected crops came, unless that was done too recently for the time it takes."""
        begun = time.monotonic()
        if begun < self._count_again_at:
            return
        try:
            publish_completeness(self._database, self._configuration, self._metrics, datetime.now(UTC))
        except StoreError as error:
            log.warning("cannot count which expected crops came: %s; it will be tried again soon", error)
        ended = time.monotonic()
        self._count_again_at = ended + (ended - begun) / INTERVALS_SHARE

    def _recalibrate(self, run_id: int, now: datetime) -> str:
        by = ChangeRequest(now, "nightly", run_id, zone=self._configuration.time_zone)
        outcomes = nightly.run(self._database, self._registry, self._configuration, by, self._rules)
        for outcome in outcomes:
            self._metrics.count_calibration(outcome.model.detector, outcome.result, outcome.refusal or "")
        return nightly.summary(outcomes)

    def _prune(self, run_id: int, now: datetime) -> str:
        keep_days = self._configuration.settings.store.keep_days
        until = retention.believed(self._database, run_id, now)
        counted = self._metrics.pruned.inc
        try:
            done = retention.prune(self._database, self._configuration, keep_days, until, count=counted)
        except (InboxDoubtError, StoreDoubtError) as error:
            self._metrics.show_deletion("retention", True)
            log.error("%s; nothing is deleted", error)  # noqa: TRY400 - a sentence for a person
            return f"failed: {error}"
        self._metrics.show_deletion("retention", False)
        return done.sentence


def _clock_ahead() -> float:
    """How far the clock is ahead of the monotonic one, in seconds."""
    return time.time() - time.monotonic()
