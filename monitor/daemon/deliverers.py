"""A thread for each sink of `[alarms.sinks]`: one that waits for its receiver keeps nobody else waiting."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from monitor.alarms.delivery import Delivery
from monitor.alarms.heartbeats import Heartbeats
from monitor.alarms.sinks import heartbeat_seconds, new_sink
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often it is looked for messages that another program has written, such as `monitor alarms ack`.
LOOK_SECONDS: Final = 1.0
# How long stopping waits for messages that are being sent. They are sent again after the next start.
STOP_SECONDS: Final = 2.0


class Deliverers:
    """The sinks at work; while the database refuses, they wait."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        registry: Registry,
        count: Callable[[str, str], None],
        decides: Callable[[], bool],
        heartbeat_taken: Callable[[str], None],
    ) -> None:
        """Make every sink; raises `PluginError` and `ConfigurationError` as `new_sink` does.

        ``count``: as for `Delivery`; ``decides``, ``heartbeat_taken``: as for `Heartbeats`.
        """
        names = configuration.settings.alarms.sinks
        sinks = {name: new_sink(registry, name, configuration) for name in names}
        # How often each sink that wants heartbeats gets one.
        self.heartbeat_seconds = {
            name: seconds for name, sink in sinks.items() if (seconds := heartbeat_seconds(name, sink, configuration))
        }
        heartbeats = {
            name: Heartbeats(database, name, sinks[name], seconds, decides, heartbeat_taken)
            for name, seconds in self.heartbeat_seconds.items()
        }
        self._ended = False
        self._woken = {name: Event() for name in names}
        self._threads = [
            Thread(
                target=self._run,
                args=(Delivery(database, name, sink, count), heartbeats.get(name), self._woken[name]),
                name=f"sink {name}",
                daemon=True,
            )
            for name, sink in sinks.items()
        ]

    def start(self) -> None:
        """Begin, once the workers are forked."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Let the sinks look for messages now."""
        for woken in self._woken.values():
            woken.set()

    def stop(self) -> None:
        """End; what was not delivered is delivered after the next start."""
        self._ended = True
        self.wake()
        until = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, delivery: Delivery, heartbeats: Heartbeats | None, woken: Event) -> None:
        begun = waits = False
        while not self._ended:
            woken.clear()
            pause = LOOK_SECONDS
            try:
                if not begun:
                    delivery.begin()
                    begun = True
                if heartbeats is not None:
                    pause = min(pause, heartbeats.step())
                more = delivery.step()
                waits = False
            except MonitorError as error:
                more = False
                if not waits:
                    log.warning("messages for the sink %s wait: %s; it will be tried again soon", delivery.name, error)
                waits = True
            except Exception:
                more = False
                log.exception("the sink %s failed by a defect; it will be tried again soon", delivery.name)
            if not more and not self._ended:
                woken.wait(pause)
        delivery.end()
