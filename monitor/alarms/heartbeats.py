"""Heartbeats to one sink: as long as they come, the daemon decides. They are never stored: a late one says nothing."""

from __future__ import annotations

import logging
import socket
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.alarms.delivery import sentence
from monitor.alarms.messages import Heartbeat
from monitor.alarms.states import hole_states, shows
from monitor.alarms.wording import as_dict
from monitor.store import alarms, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.api import HoleState, Sink
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often it is looked whether the daemon decides again.
LOOK_SECONDS: Final = 1.0
# No more alarms are in a heartbeat.
MOST_ALARMS: Final = 500


class Heartbeats:
    """Those of one sink; to be called from the thread that its messages are sent from."""

    def __init__(
        self,
        database: Database,
        name: str,
        sink: Sink,
        every_seconds: float,
        decides: Callable[[], bool],
        taken: Callable[[str], None] = lambda _sink: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``decides``: whether the daemon does. ``taken`` is called with the sink's name for each that was taken."""
        self._database = database
        self._name = name
        self._sink = sink
        self._every_seconds = every_seconds
        self._decides = decides
        self._taken = taken
        self._clock = clock
        self._due_at = clock()
        self._failing = self._silent = False

    def step(self) -> float:
        """Send one if it is due, and if the daemon decides; returns how many seconds there are until the next.

        One that is not taken is not repeated. Raises `StoreError`: without a database nothing is decided.
        """
        if (left := self._due_at - self._clock()) > 0:
            return left
        if not self._decides():
            if not self._silent:
                log.warning("sink %s gets no heartbeat, because nothing is decided", self._name)
            self._silent = True
            return LOOK_SECONDS
        heartbeat, states = self._heartbeat()
        self._silent = False
        self._due_at = self._clock() + self._every_seconds
        try:
            if states is not None:
                self._sink.show(states)
            self._sink.send(heartbeat)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            if not self._failing:
                log.warning("sink %s has not taken a heartbeat: %s", self._name, sentence(error))
            self._failing = True
        else:
            self._taken(self._name)
            if self._failing:
                self._failing = False
                log.info("sink %s takes heartbeats again", self._name)
                self._try_messages_now()
        return max(0.0, self._due_at - self._clock())

    def _try_messages_now(self) -> None:
        """Let messages that failed wait no longer, for the receiver is back."""
        if self._database.file is not None:  # on a server, another daemon may be sending them
            with self._database.write() as connection:
                outbox.release(connection, self._name, datetime.now(UTC))

    def _heartbeat(self) -> tuple[dict[str, Any], Sequence[HoleState] | None]:
        with self._database.read() as connection:
            told, running = alarms.told(connection, self._name, MOST_ALARMS)
            states = hole_states(connection) if shows(self._sink) else None
        values = {
            "id": str(uuid.uuid4()),
            "kind": "heartbeat",
            "at": datetime.now(UTC),
            "every_seconds": self._every_seconds,
            "host": socket.gethostname(),
            "running": running,
            "alarms": [as_dict(row) for row in told],
        }
        return Heartbeat.model_validate(values).model_dump(mode="json"), states
