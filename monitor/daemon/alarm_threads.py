"""What the daemon does about alarms beside the writer: their keeper, that of evidence, and a thread for each sink."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from monitor.daemon.aftermath import log_alarms
from monitor.daemon.alarm_keeper import AlarmKeeper
from monitor.daemon.deliverers import Deliverers
from monitor.daemon.evidence_keeper import EvidenceKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.decisions import Raised


class AlarmThreads:
    """The alarm keeper, the evidence keeper and the deliverers, started, stopped and told of new alarms together."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        metrics: Metrics,
        decides: Callable[[], bool],
    ) -> None:
        """Make every sink; raises as `Deliverers` does. ``decides``: whether the daemon does, asked by heartbeats."""
        self._metrics = metrics
        self._keeper = AlarmKeeper(database, configuration.settings.alarms, metrics)
        self._evidence = EvidenceKeeper(configuration, database)
        self._deliverers = Deliverers(
            configuration,
            database,
            registry,
            count=metrics.count_message,
            decides=decides,
            heartbeat_taken=lambda sink: metrics.show_heartbeat(sink, time.time()),
        )

    def start(self) -> None:
        """Begin, once the workers are forked."""
        self._keeper.start()
        self._evidence.start()
        self._metrics.expect_heartbeats(self._deliverers.heartbeat_seconds, time.time())
        self._deliverers.start()

    def stop(self) -> None:
        """End all of them."""
        self._keeper.stop()
        self._evidence.stop()
        self._deliverers.stop()

    def tell(self, raised: Sequence[Raised]) -> None:
        """Let the sinks, the log and the metrics know of alarms that were opened."""
        self._deliverers.wake()
        self._evidence.wake()
        log_alarms(raised)
        self._metrics.count_alarms(raised)
