"""Keeps the daemon's row in the database, so that `monitor status` can tell from anywhere whether it runs."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Final

from monitor import __version__
from monitor.errors import MonitorError
from monitor.files.text import to_text
from monitor.store import daemons
from monitor.threads import RepeatingThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How long stopping waits for a sign of life that waits for the database. A row that stays says how it is by its age.
STOP_SECONDS: Final = 5.0


class Heartbeat:
    """Enters the daemon, gives signs of life as long as the pipeline moves, and leaves: in a thread of its own.

    It never keeps the daemon from its work: while the database refuses, signs are left out.
    """

    def __init__(self, configuration: Configuration, database: Database, moves: Callable[[float], bool]) -> None:
        """``moves``: whether no thread has been busy with one piece of work for longer than this many seconds."""
        self._database = database
        self._moves = moves
        self._identity = daemons.Identity(socket.gethostname(), os.getpid(), __version__, to_text(configuration.inbox))
        self._row: int | None = None
        self._thread = RepeatingThread(
            "heartbeat", self._beat, daemons.RENEWED_EVERY.total_seconds(), lambda: self._try(self._leave)
        )

    def start(self) -> None:
        """Begin, once the workers are forked."""
        self._thread.start()

    def stop(self) -> None:
        """Leave."""
        self._thread.stop(STOP_SECONDS)

    def _beat(self) -> None:
        if self._moves(daemons.GONE_AFTER.total_seconds()):
            self._try(self._sign)

    def _sign(self) -> None:
        with self._database.write() as connection:
            if self._row is None or not daemons.renew(connection, self._row):
                self._row = daemons.enter(connection, self._identity)

    def _leave(self) -> None:
        if self._row is not None:
            with self._database.write() as connection:
                daemons.leave(connection, self._row)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except MonitorError as error:
            # The writer meets the same error, and says what follows from it.
            log.debug("no sign of life was stored: %s", error)
        except Exception:
            log.exception("no sign of life was stored, by a defect; the daemon goes on and tries again")
