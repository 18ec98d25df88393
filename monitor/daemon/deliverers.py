"""A thread for each sink of `[alarms.sinks]`: one that waits for its receiver keeps nobody else waiting."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from monitor.alarms.delivery import Delivery
from monitor.alarms.heartbeats import Heartbeats
from monitor.alarms.selftest_delivery import SelftestDelivery
from monitor.alarms.sinks import heartbeat_seconds, new_sink
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from monitor.api import Sink
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often it is looked for messages that another program has written, such as `monitor alarms ack`.
LOOK_SECONDS: Final = 1.0
# How long stopping waits for messages that are being sent. They are sent again after the next start.
STOP_SECONDS: Final = 2.0
# How long a sink with other settings waits for the one before it, which gives up by then unless it hangs.
HANDOVER_SECONDS: Final = 60.0


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
        self._database = database
        self._registry = registry
        self._count = count
        self._decides = decides
        self._heartbeat_taken = heartbeat_taken
        self._sinks = self._made(configuration, configuration.settings.alarms.sinks)

    @property
    def heartbeat_seconds(self) -> dict[str, float]:
        """How often each sink that wants heartbeats gets one."""
        return {name: one.heartbeat_seconds for name, one in self._sinks.items() if one.heartbeat_seconds}

    def _made(self, configuration: Configuration, names: Iterable[str]) -> dict[str, Deliverer]:
        """A deliverer for each of these sinks, not started yet."""
        sinks = {name: new_sink(self._registry, name, configuration) for name in names}
        return {name: self._one(name, sink, configuration) for name, sink in sinks.items()}

    def _one(self, name: str, sink: Sink, configuration: Configuration) -> Deliverer:
        seconds = heartbeat_seconds(name, sink, configuration)
        heartbeats = None
        if seconds is not None:
            heartbeats = Heartbeats(self._database, name, sink, seconds, self._decides, self._heartbeat_taken)
        delivery = Delivery(self._database, name, sink, self._count)
        tests = SelftestDelivery(self._database, name, sink)
        return Deliverer(delivery, heartbeats, configuration.settings.alarms.sinks[name], seconds, tests)

    def start(self) -> None:
        """Begin, once the workers are forked."""
        for one in self._sinks.values():
            one.start(taken_up=False)

    def reload(self, configuration: Configuration) -> list[str]:
        """Go on with the sinks of another configuration; those whose settings are the same notice nothing.

        Returns the names of the sinks that are new or have other settings. Raises as the constructor does, and nothing
        is changed then. A sink that is taken out finishes what it sends; one that takes its place begins after that.
        """
        settings = configuration.settings.alarms.sinks
        kept = {name: one for name, one in self._sinks.items() if settings.get(name) == one.settings}
        made = self._made(configuration, [name for name in settings if name not in kept])
        before = self._sinks
        self._sinks = {name: kept.get(name) or made[name] for name in settings}
        for name, one in before.items():
            if name not in kept:
                one.end()
        for name, one in made.items():
            one.start(taken_up=True, after=before.get(name))
        return list(made)

    def wake(self) -> None:
        """Let the sinks look for messages now."""
        for one in self._sinks.values():
            one.wake()

    def stop(self) -> None:
        """End; what was not delivered is delivered after the next start."""
        for one in self._sinks.values():
            one.end()
        until = time.monotonic() + STOP_SECONDS
        for one in self._sinks.values():
            one.join(max(0.0, until - time.monotonic()))


class Deliverer:
    """The thread of one sink; ``settings``: its section. ``heartbeat_seconds``: between two, if it wants any."""

    def __init__(
        self,
        delivery: Delivery,
        heartbeats: Heartbeats | None,
        settings: Mapping[str, Any],
        heartbeat_seconds: float | None,
        tests: SelftestDelivery | None = None,
    ) -> None:
        """``tests``: delivers the messages of self-tests."""
        self._tests = tests
        self.settings = settings
        self.heartbeat_seconds = heartbeat_seconds
        self._delivery = delivery
        self._heartbeats = heartbeats
        self._woken = Event()
        self._ended = False
        self._taken_up = False
        self._after: Deliverer | None = None
        self._thread = Thread(target=self._run, name=f"sink {delivery.name}", daemon=True)
        self.wake, self.join = self._woken.set, self._thread.join

    def start(self, *, taken_up: bool, after: Deliverer | None = None) -> None:
        """Begin; ``taken_up``: nothing is left of a program that was killed, and another thread may be sending.

        ``after``: the one whose place this takes. What it says last, such as that nobody is there any more, must not
        come after what this says first.
        """
        self._taken_up, self._after = taken_up, after
        self._thread.start()

    def end(self) -> None:
        """End after what is being sent."""
        self._ended = True
        self.wake()

    def _run(self) -> None:
        delivery, heartbeats = self._delivery, self._heartbeats
        begun = waits = False
        if self._after is not None:
            self._after.join(HANDOVER_SECONDS)
            self._after = None
        while not self._ended:
            self._woken.clear()
            pause = LOOK_SECONDS
            try:
                if not begun:
                    delivery.begin(take_up=not self._taken_up)
                    begun = True
                if heartbeats is not None:
                    pause = min(pause, heartbeats.step())
                more = delivery.step()
                if not more and self._tests is not None:
                    self._tests.step()
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
                self._woken.wait(pause)
        delivery.end()
