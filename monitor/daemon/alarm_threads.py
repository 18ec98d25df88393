"""What the daemon does about alarms beside the writer: their keeper, that of evidence, the cast file, and the sinks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from monitor.alarms.raising import Raising
from monitor.alarms.rehearsal import Rehearsal
from monitor.configuration.file import load
from monitor.daemon.aftermath import log_alarms
from monitor.daemon.alarm_keeper import AlarmKeeper
from monitor.daemon.cast_follower import CastFollower
from monitor.daemon.deliverers import Deliverers
from monitor.daemon.evidence_keeper import EvidenceKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.decisions import Raised

log = logging.getLogger(__name__)


class AlarmThreads:
    """The follower of the cast file, the keepers of alarms and of evidence, and the deliverers, started together.

    ``raising``, ``rehearsal``: what the writer calls in its transactions. ``selftests``: which files are of self-tests.
    """

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        metrics: Metrics,
        decides: Callable[[], bool],
    ) -> None:
        """Make every sink; raises as `Deliverers` does. ``decides``: whether the daemon does, asked by heartbeats."""
        self._configuration = configuration
        self._metrics = metrics
        self._cast = CastFollower(configuration, database)
        followed = self._cast.is_up_to_date
        self.raising = Raising(configuration.settings.alarms, followed=followed)
        self.rehearsal = Rehearsal(configuration.settings.alarms, followed=followed)
        self._keeper = AlarmKeeper(database, configuration.settings.alarms, metrics, followed)
        self.selftests = self._keeper.selftests
        self._evidence = EvidenceKeeper(configuration, database)
        self._deliverers = Deliverers(
            configuration,
            database,
            registry,
            count=metrics.count_message,
            decides=decides,
            heartbeat_taken=lambda sink: metrics.show_heartbeat(sink, time.time()),
        )

    def follow_cast(self) -> None:
        """Begin to follow the cast file, before anything is decided: while idle nobody may be told at a restart."""
        self._cast.start()

    def start(self) -> None:
        """Begin with the rest, once the workers are forked."""
        self._keeper.start()
        self._evidence.start()
        self._metrics.expect_heartbeats(self._deliverers.heartbeat_seconds, time.time())
        self._deliverers.start()

    def stop(self) -> None:
        """End all of them."""
        self._cast.stop()
        self._keeper.stop()
        self._evidence.stop()
        self._deliverers.stop()

    def reload(self) -> None:
        """Take over `[alarms.sinks]` as the configuration file has it now; nothing else of it.

        Raises `ConfigurationError` and `PluginError` where any of it cannot be used, and nothing is changed then.
        """
        configuration = load(self._configuration.file)
        changed = self._deliverers.reload(configuration)
        self._metrics.expect_heartbeats(self._deliverers.heartbeat_seconds, time.time())
        sinks = configuration.settings.alarms.sinks
        self.raising.use_sinks(sinks)
        self.rehearsal.use_sinks(sinks)
        self._keeper.use_sinks(sinks)
        if changed or sinks.keys() != self._configuration.settings.alarms.sinks.keys():
            log.info("the sinks are now: %s", ", ".join(sinks) or "none")
        self._configuration = configuration

    def tell(self, raised: Sequence[Raised]) -> None:
        """Let the sinks, the log and the metrics know of alarms that were opened."""
        self._deliverers.wake()
        self._evidence.wake()
        log_alarms(raised)
        self._metrics.count_alarms(raised)
