"""Keeps what is due as evidence, in a thread of its own: a share that does not answer holds up nothing else.

Where no files are set aside any more, it deletes those of before: the tidier, which sets them aside, need not run then.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from monitor.errors import MonitorError, OutputError
from monitor.keeping.keeper import Keeper
from monitor.keeping.places import recent_folder
from monitor.keeping.recent import Recent, set_aside

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often it is looked for what became due without an alarm.
LOOK_SECONDS: Final = 2.0
# How long stopping waits for files that are being read. They are read after the next start.
STOP_SECONDS: Final = 5.0


class EvidenceKeeper:
    """The keeper at work; while the database refuses, it waits and tries again."""

    def __init__(self, configuration: Configuration, database: Database) -> None:
        self._keeper = Keeper(database, configuration)
        self._left_over = None if set_aside(configuration) else Recent(recent_folder(configuration), database, 0)
        self._ended = False
        self._waits = False
        self._woken = Event()
        self._thread = Thread(target=self._run, name="evidence", daemon=True)

    def start(self) -> None:
        """Begin, once the workers are forked."""
        self._thread.start()

    def wake(self) -> None:
        """Let it look now."""
        self._woken.set()

    def stop(self) -> None:
        """End after a last look."""
        self._ended = True
        self.wake()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            last = self._ended
            self._woken.clear()
            more = self._look()
            if last:
                return
            if not more and not self._ended:
                self._woken.wait(LOOK_SECONDS)

    def _look(self) -> bool:
        """Keep some of what is due; whether there is more."""
        try:
            more = self._keeper.look()
            if not more:
                self._delete_left_over()
        except MonitorError as error:
            if not self._waits:
                log.warning("what is due as evidence is not kept yet: %s; it will be tried again soon", error)
            self._waits = True
            return False
        except Exception:
            if not self._waits:
                log.exception("what is due as evidence could not be kept, by a defect; it will be tried again soon")
            self._waits = True
            return False
        self._waits = False
        return more

    def _delete_left_over(self) -> None:
        """Raises `StoreError`."""
        try:
            if self._left_over is not None:
                self._left_over.empty()
        except OutputError as error:
            log.warning("files that were set aside stay: %s; correct that, and restart the daemon", error)
            self._left_over = None
