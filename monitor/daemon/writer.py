"""Commits decided batches, in few transactions; the only thread that writes decisions.

While the database refuses, everything before the writer waits and nothing is dropped.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from monitor.errors import StoreDamagedError, StoreError, StoreRefusedError
from monitor.files.text import printable
from monitor.logs import fields
from monitor.scoring.record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from queue import Queue

    from monitor.daemon.aftermath import Aftermath
    from monitor.daemon.replies import Replies
    from monitor.metrics import Metrics
    from monitor.scoring.batches import DecidedBatch
    from monitor.scoring.record import Place, Raise, Rehearse
    from monitor.store.database.engine import Database
    from monitor.store.decisions import Recorded
    from monitor.threads import TimedThread

log = logging.getLogger(__name__)

# Close a transaction once it holds this many crops.
STORED_TOGETHER: Final = 1024
# The pauses between tries while the database refuses: the first, doubled each time, up to the longest.
FIRST_COMMIT_PAUSE_SECONDS: Final = 1.0
LONGEST_COMMIT_PAUSE_SECONDS: Final = 10.0


class Writer:
    """Takes decided batches from a queue, commits them, and passes on what is committed."""

    def __init__(
        self,
        database: Database,
        decided: Queue[DecidedBatch | None],
        place: Place | None,
        raise_alarms: Raise | None,
        aftermath: Aftermath,
        replies: Replies,
        metrics: Metrics,
        is_stopping: Callable[[], bool],
        rehearse: Rehearse | None = None,
    ) -> None:
        """``place``, ``raise_alarms``, ``rehearse``: as for `monitor.scoring.record.record`."""
        self._database = database
        self._decided = decided
        self._place = place
        self._raise_alarms = raise_alarms
        self._rehearse = rehearse
        self._aftermath = aftermath
        self._replies = replies
        self._metrics = metrics
        self._is_stopping = is_stopping
        # Whether decisions wait because the database refuses to store them.
        self.waits = False

    def run(self, thread: TimedThread) -> None:
        """Commit until the mark comes."""
        ended = False
        while not ended:
            thread.idle()
            batch = self._decided.get()
            # What else is decided by now goes into the same transaction: one is cheaper than many.
            ended = batch is None
            together = [batch] if batch is not None else []
            while not ended and _count(together) < STORED_TOGETHER and not self._decided.empty():
                batch = self._decided.get()
                ended = batch is None
                together += [batch] if batch is not None else []
            if together:
                self._commit(thread, together)

    def _commit(self, thread: TimedThread, batches: Sequence[DecidedBatch]) -> None:
        """Commit, again and again while the database refuses, and pass on what is committed.

        Gives up, leaving the crops in the inbox, when the database still refuses once the daemon stops. A row that the
        database can never take is left out, so that one odd file does not stop the line. Raises `StoreDamagedError`,
        which waiting does not cure.
        """
        pause = FIRST_COMMIT_PAUSE_SECONDS
        while True:
            thread.busy()
            try:
                recorded = self._record(batches)
            except StoreDamagedError:
                raise
            except StoreRefusedError as error:
                self.waits = False
                self._commit_singly(thread, batches, error)
                return
            except StoreError as error:
                self.waits = True
                self._metrics.store_failures.inc()
                if self._is_stopping():
                    log.error(  # noqa: TRY400
                        "%d crops are not decided: %s; they stay in the inbox and are found at the next start",
                        _count(batches), error,
                    )  # fmt: skip
                    return
                log.error("%d decisions wait: %s; next try in %g s", _count(batches), error, pause)  # noqa: TRY400
            else:
                self.waits = False
                if pause > FIRST_COMMIT_PAUSE_SECONDS:
                    log.info("%d decisions that waited are stored", _count(batches))
                self._aftermath.committed(batches, recorded, time.time())
                return
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_COMMIT_PAUSE_SECONDS)

    def _record(self, batches: Sequence[DecidedBatch]) -> Recorded:
        began = time.perf_counter()
        recorded = record(self._database, batches, self._place, self._raise_alarms, self._rehearse)
        self._metrics.commit.observe(time.perf_counter() - began)
        return recorded

    def _commit_singly(self, thread: TimedThread, batches: Sequence[DecidedBatch], error: StoreRefusedError) -> None:
        """Commit each crop by itself; the one that the database refuses stays where it is, unrecorded."""
        if _count(batches) > 1:
            for batch in batches:
                for row in range(len(batch.files)):
                    self._commit(thread, [batch.take([row])])
            return
        files = batches[0].files
        path = printable(files.paths[0])
        log.error(
            *("%s: cannot be recorded, so it has no decision: %s", path, error),
            extra=fields(path=path, reason="not_recorded"),
        )
        if files.labels[0] is None:
            self._metrics.failed.labels("not_recorded").inc()
        self._replies.done(files, 0)


def _count(batches: Sequence[DecidedBatch]) -> int:
    return sum(len(batch.files) for batch in batches)
