"""What the daemon does beside deciding, in the background: the nightly run, retention, and figures for the metrics."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.daemon.schedule import DailyJob
from monitor.errors import StoreError
from monitor.metrics import refresh as observing
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

LOOK_SECONDS: Final = 20
"""So often it is looked whether a nightly run is due, which is run once however often anybody looks."""
REFRESH_SECONDS: Final = 300
REFRESH: Final = "refresh"
BACKLOG_SECONDS: Final = 5
INTERVALS_SECONDS: Final = 60
CLOCK_JUMP_SECONDS: Final = 2.0
"""A clock that moves by more against the time that passes was set."""
INTERVALS_SHARE: Final = 0.02
"""At most this share of the time is taken by counting which crops came; where that is slow, it is done less often."""


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
        """``in_use``: the calibrations that decide, the primary's first; ``reload`` takes over the store's.

        ``backlog`` is kept up, where there is an inbox to have one.
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
        self._begun: set[str] = set()
        self._count_again_at = 0.0
        self._clock_ahead = _clock_ahead()

    def start(self) -> None:
        """Start the scheduler."""
        from apscheduler.schedulers.background import BackgroundScheduler

        from monitor.daemon.job_thread import OneThread

        # Where the machine slept or was busy, one late look is enough.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._executor = OneThread()
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": self._executor}
        )
        now = datetime.now(UTC)
        # Of what is due at once, what is due for longer comes first. A night that is caught up does not keep alerts
        # from seeing which holes are silent, and the figures tell of the runs.
        before, after = now - timedelta(seconds=1), now + timedelta(seconds=0.1)
        self._scheduler.add_job(self.restore, "interval", seconds=LOOK_SECONDS, next_run_time=before)
        if self._backlog is not None:
            self._scheduler.add_job(self._backlog.look, "interval", seconds=BACKLOG_SECONDS)
        if self._configuration.settings.calibration.nightly:
            self._scheduler.add_job(self.look, "interval", seconds=LOOK_SECONDS, next_run_time=now)
        if self._configuration.settings.store.keep_days:
            self._scheduler.add_job(self.look_for_old, "interval", seconds=LOOK_SECONDS, next_run_time=now)
        self._scheduler.add_job(self.follow, "interval", seconds=LOOK_SECONDS)
        # One that runs may have read already what another one is asked for because of.
        self._scheduler.add_job(
            *(self.refresh, "interval"), seconds=REFRESH_SECONDS, next_run_time=after, id=REFRESH, max_instances=2
        )
        if self._configuration.settings.completeness.interval_seconds:
            self._scheduler.add_job(self.count_intervals, "interval", seconds=INTERVALS_SECONDS, next_run_time=now)
        self._scheduler.start()

    def refresh_now(self) -> None:
        """Have the figures worked out anew, in the background."""
        self._scheduler.modify_job(REFRESH, next_run_time=datetime.now(UTC))

    def follow_clock(self) -> None:
        """Have everything looked at where the clock was set; to be called often.

        The scheduler would sleep until the time comes again that it was told of: for as long as the clock was put back.
        """
        ahead = _clock_ahead()
        jumped, self._clock_ahead = ahead - self._clock_ahead, ahead
        if abs(jumped) < CLOCK_JUMP_SECONDS:
            return
        log.warning("the clock was set by %+.0f seconds; all that is done at times is looked at anew", jumped)
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def stop(self) -> None:
        """Start no job any more; one that is running ends with the program, which does no harm."""
        self._scheduler.pause()
        self._executor.shutdown(wait=False)

    def look(self) -> None:
        """Run what is due of the nightly run."""
        if self._run_due(NIGHTLY, self._nightly):
            self.follow()
            self.refresh()

    def look_for_old(self) -> None:
        """Delete old decisions, when that is due."""
        self._run_due(RETENTION, self._retention)

    def _run_due(self, name: str, job: DailyJob) -> bool:
        """Run the job's slot if nobody has; whether it was run."""
        now = datetime.now(UTC)
        try:
            if name not in self._begun:
                job.begin(now)
                self._begun.add(name)
        except StoreError as error:
            log.warning("the %s run waits: %s; tried again soon", name, error)
            return False
        outcome = job.tick(now)
        if outcome is not None:
            self._metrics.count_run(name, "failed" if outcome.startswith("failed") else "done")
        return outcome is not None

    def follow(self) -> None:
        """Have the thresholds loaded that the store has now, whoever changed them; asked again where that failed."""
        try:
            with self._database.read() as connection:
                rows = deciding(models.active_models(connection), self._configuration.settings.decision.detectors)
        except StoreError as error:
            log.warning("whether thresholds have changed cannot be seen: %s", error)
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
            observing.restore_holes(self._database, self._configuration, self._metrics, datetime.now(UTC))
        except StoreError as error:
            log.warning("the last crop of each hole is not known yet: %s; tried again soon", error)
        else:
            self._restored = True

    def refresh(self) -> None:
        """Publish TPR and TNR in operation, and drift."""
        observing.refresh(self._database, self._configuration, self._metrics, datetime.now(UTC))

    def count_intervals(self) -> None:
        """Publish which expected crops came, unless that was done too recently for what it takes."""
        begun = time.monotonic()
        if begun < self._count_again_at:
            return
        try:
            observing.count_intervals(self._database, self._configuration, self._metrics, datetime.now(UTC))
        except StoreError as error:
            log.warning("which expected crops came cannot be counted: %s; tried again soon", error)
        ended = time.monotonic()
        self._count_again_at = ended + (ended - begun) / INTERVALS_SHARE

    def _recalibrate(self, run_id: int, now: datetime) -> str:
        by = ChangeRequest(now, "nightly", run_id)
        outcomes = nightly.run(self._database, self._registry, self._configuration, by, self._rules)
        for outcome in outcomes:
            self._metrics.count_calibration(outcome.model.detector, outcome.result, outcome.refusal or "")
        return nightly.summary(outcomes)

    def _prune(self, run_id: int, now: datetime) -> str:
        keep_days = self._configuration.settings.store.keep_days
        until = retention.believed(self._database, run_id, now)
        done = retention.prune(*(self._database, self._configuration, keep_days, until), count=self._metrics.pruned.inc)
        return done.sentence


def _clock_ahead() -> float:
    """How far the clock is ahead of the one that nobody sets, in seconds."""
    return time.time() - time.monotonic()
