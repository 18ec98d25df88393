"""Delivers the messages of self-tests to one sink, through the object and in the thread that deliver alarms to it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.alarms.delivery import LEASE, pause_after, sentence
from monitor.store import selftests

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.api import Sink
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)


class SelftestDelivery:
    """What one sink gets of self-tests: each message once it is due, and again until it is taken or its time is over.

    The sink shows no hole for it: only `Sink.send` is called.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        sink: Sink,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._name = name
        self._sink = sink
        self._clock = clock

    def step(self) -> None:
        """Try what may be sent now; to be called when no message about an alarm waits. Raises `StoreError`."""
        with self._database.read() as connection:
            found = selftests.due(connection, self._name, self._clock())
        for one in found:
            with self._database.write() as connection:
                claimed = selftests.claim(connection, one, self._clock() + LEASE)
            if not claimed:
                continue
            try:
                self._sink.send(one.message)
            except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
                why = sentence(error)
                log.warning("sink %s has not taken the message of self-test %d: %s", self._name, one.selftest_id, why)
                with self._database.write() as connection:
                    selftests.failed(connection, one, why, self._clock() + pause_after(one.attempts + 1))
            else:
                with self._database.write() as connection:
                    selftests.delivered(connection, one, self._clock())
