"""Closes alarms whose event is over, and shows those that are not closed: in a thread of its own."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor.alarms.acknowledgement import end_quiet
from monitor.alarms.wording import about_row
from monitor.errors import MonitorError
from monitor.store.alarms import running_counts
from monitor.store.outbox import backlogs
from monitor.threads import RepeatingThread

if TYPE_CHECKING:
    from monitor.configuration.settings import Alarms
    from monitor.metrics import Metrics
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often it is looked whether an event is over.
LOOK_SECONDS: Final = 2.0
# How long stopping waits for a look that waits for the database.
STOP_SECONDS: Final = 5.0


class AlarmKeeper:
    """Looks after the alarms that run; while the database refuses, it waits and tries again."""

    def __init__(self, database: Database, settings: Alarms, metrics: Metrics) -> None:
        self._database = database
        self._settings = settings
        self._metrics = metrics
        self._waits = False
        self._thread = RepeatingThread("alarms", self._try, LOOK_SECONDS)

    def start(self) -> None:
        """Begin, once the workers are forked."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._thread.stop(STOP_SECONDS)

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
        """Close what is over, and publish what is not. Raises `StoreError`."""
        for row in end_quiet(self._database, self._settings, now):
            log.info("alarm %d is over: %s, %d crops", row.id, about_row(row), row.crops)
        with self._database.read() as connection:
            counts = running_counts(connection)
            waiting = backlogs(connection)
        oldest = counts.oldest_open_at
        moment = time.time()
        self._metrics.show_alarms(
            counts.open, counts.acknowledged, None if oldest is None else moment - oldest.timestamp()
        )
        # Nothing is ever sent to a sink that was taken out of the configuration: it would be due for ever.
        due = dict.fromkeys(self._settings.sinks, (0, 0.0))
        due |= {
            one.sink: (one.messages, max(0.0, moment - one.oldest_at.timestamp()))
            for one in waiting
            if one.sink in self._settings.sinks
        }
        self._metrics.show_messages(due)
