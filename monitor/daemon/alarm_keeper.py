"""Tells of alarms once their pause is over, closes those whose event is, and shows the others: in its own thread."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.alarms.acknowledgement import end_quiet
from monitor.alarms.belated import tell_belated
from monitor.alarms.cast_context import CurrentCast
from monitor.alarms.wording import about_row
from monitor.daemon.selftest_watch import SelftestWatch
from monitor.errors import MonitorError
from monitor.store import pauses, selftests
from monitor.store.alarms import running_counts
from monitor.store.outbox import backlogs
from monitor.threads import RepeatingThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.settings import Alarms
    from monitor.metrics import Metrics
    from monitor.store.database.engine import Database
    from monitor.store.pauses import PauseRow

log = logging.getLogger(__name__)

# How often it is looked whether an event is over.
LOOK_SECONDS: Final = 2.0
# How long stopping waits for a look that waits for the database.
STOP_SECONDS: Final = 5.0


class AlarmKeeper:
    """Looks after the alarms that run; while the database refuses, it waits and tries again.

    ``selftests``: tells the files of self-tests from others; what it finds is stored from here.
    """

    def __init__(
        self, database: Database, settings: Alarms, metrics: Metrics, followed: Callable[[], bool] = lambda: False
    ) -> None:
        """``followed``: as for `monitor.alarms.cast_context.CurrentCast`."""
        self._database = database
        self.selftests = SelftestWatch(database)
        self._settings = settings
        self._metrics = metrics
        self._cast = CurrentCast(settings, followed)
        self._waits = False
        self._pauses: dict[int, PauseRow] = {}
        self._thread = RepeatingThread("alarms", self._try, LOOK_SECONDS)

    def start(self) -> None:
        """Begin, once the workers are forked."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._thread.stop(STOP_SECONDS)

    def use_sinks(self, sinks: dict[str, dict[str, Any]]) -> None:
        """Tell these sinks from now on."""
        self._settings = self._settings.model_copy(update={"sinks": sinks})

    def _try(self) -> None:
        try:
            self.look(datetime.now(UTC))
            self._waits = False
        except MonitorError as error:
            if not self._waits:
                log.warning("alarms whose event is over stay open for now: %s; it will be tried again soon", error)
            self._waits = True
        except Exception:
            log.exception("the alarms could not be looked after, by a defect; the daemon goes on and tries again")

    def look(self, now: datetime) -> None:
        """Tell what was withheld and is not any more, close what is over, and publish the rest. Raises `StoreError`."""
        for row in tell_belated(self._database, self._settings, now, self._cast):
            log.warning("alarm %d is told now: %s still goes on", row.id, about_row(row))
        for row in end_quiet(self._database, self._settings, now):
            log.info("alarm %d is over: %s, %d crops", row.id, about_row(row), row.crops)
        self.selftests.store()
        with self._database.read() as connection:
            tested, passed_at = selftests.newest(connection), selftests.passed_at(connection)
            counts = running_counts(connection)
            waiting = backlogs(connection)
            cast = self._cast.read(connection, now)
            paused = {one.id: one for one in pauses.running(connection, now)}
        self._follow(paused)
        self._metrics.show_selftest(tested, passed_at, now)
        self._metrics.show_cast(cast.phase, in_doubt=cast.problem is not None)
        self._metrics.show_alarms(counts, now, pauses=len(paused))
        # Nothing is ever sent to a sink that was taken out of the configuration: it would be due for ever.
        due = dict.fromkeys(self._settings.sinks, (0, 0.0))
        due |= {
            one.sink: (one.messages, max(0.0, (now - one.oldest_at).total_seconds()))
            for one in waiting
            if one.sink in self._settings.sinks
        }
        self._metrics.show_messages(due)

    def _follow(self, paused: dict[int, PauseRow]) -> None:
        """Log which pauses have begun and ended."""
        for one in paused.values():
            if one.id not in self._pauses:
                log.warning(
                    "pause %d: alarms of %s are recorded without notifying anyone: %s", one.id, one.scope, one.reason
                )
        for one in self._pauses.values():
            if one.id not in paused:
                log.warning("pause %d is over: alarms of %s are told again", one.id, one.scope)
        self._pauses = paused
