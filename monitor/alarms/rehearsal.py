"""What the daemon does with a crop of a self-test: all that it does with another one, and takes it back.

Its crop, its decisions and its alarm go through the statements of any other crop, in the transaction of the decision,
up to a savepoint that is rolled back, so that nothing remains of them: no crop, no score, no alarm that another crop
could join, no message about one. What remains is a row of the self-test that says how far it came, and a message of the
kind "test" for each sink. Pauses, an idle cast and k of ``[alarms]`` do not hold back a self-test.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitor.alarms.delivery import sentence
from monitor.alarms.messages import tell
from monitor.alarms.raising import Raising
from monitor.alarms.trial import selftest_message
from monitor.alarms.wording import as_dict
from monitor.store import alarms, decisions, selftests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Alarms
    from monitor.store.decisions import CropRow, Recorded
    from monitor.store.selftests import SelftestCrop

log = logging.getLogger(__name__)

UNKNOWN_SINK = (
    "the running daemon does not know this sink; let it read the configuration again: systemctl reload monitor"
)


class Rehearsal:
    """What `monitor.scoring.record.record` calls in its transaction for crops of self-tests."""

    def __init__(
        self,
        settings: Alarms,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        followed: Callable[[], bool] = lambda: False,
    ) -> None:
        """``followed``: as for `monitor.alarms.cast_context.CurrentCast`."""
        # One proliv is enough for an alarm, whatever the line needs; the latch and its statements are the line's.
        alone = settings.model_copy(update={"k": 1, "n": 1, "phases": {}, "unusual": False})
        self._raising = Raising(alone, clock, followed)
        self._sinks = tuple(settings.sinks)
        self._clock = clock

    def use_sinks(self, sinks: Iterable[str]) -> None:
        """Tell these sinks from now on."""
        self._sinks = tuple(sinks)
        self._raising.use_sinks(self._sinks)

    def __call__(self, connection: Connection, crops: Sequence[CropRow]) -> None:
        """Note what became of crops of self-tests; one that was noted before stays as it is."""
        for crop in crops:
            test = selftests.crop_at(connection, crop.path, crop.sha256)
            if test is not None and test.decided_at is None:
                self._take(connection, crop, test)

    def _take(self, connection: Connection, crop: CropRow, test: SelftestCrop) -> None:
        if crop.verdict is None:
            selftests.note(connection, test, problem=crop.error)
            return
        problem, alarm, stored_at = None, None, None
        try:
            # Whatever is wrong here must not keep the crops of the line from being stored.
            with connection.begin_nested() as savepoint:
                recorded = self._store(connection, crop, test)
                stored_at = self._clock()
                if crop.verdict == test.expected == "proliv":
                    alarm = self._raise(connection, recorded)
                savepoint.rollback()
        except Exception as error:  # noqa: BLE001 - a defect as well
            problem = sentence(error)
        now = self._clock()
        selftests.note(
            *(connection, test),
            seen_at=test.seen_at or crop.seen_at,
            decided_at=crop.scores[0].scored_at,
            verdict=crop.verdict,
            score=crop.decision_score,
            threshold=crop.decision_threshold,
            stored_at=stored_at,
            alarm_at=now if alarm else None,
            problem=problem,
        )
        if alarm is not None:
            self._send(connection, test.selftest_id, alarm, now)
        log.info("self-test %d: the %s crop is decided %s", test.selftest_id, test.expected, crop.verdict)

    def _store(self, connection: Connection, crop: CropRow, test: SelftestCrop) -> tuple[CropRow, Recorded]:
        """Store the crop and its decisions as any other one."""
        # A camera that no crop of the line has, so that no alarm of the line is joined, and none of a table is opened.
        row = crop._replace(
            source="selftest", camera=f"selftest {test.selftest_id}", hole=None, captured_at=None, archived_path=None
        )
        return row, decisions.record(connection, [row])

    def _raise(self, connection: Connection, stored: tuple[CropRow, Recorded]) -> dict[str, Any]:
        """Open the alarm of the crop and tell sinks of it, as of any other one; returns the alarm as JSON."""
        row, recorded = stored
        (raised,) = self._raising(connection, [row], recorded)
        if raised.withheld is not None:
            tell(connection, self._sinks, raised.id, "opened", self._clock())
        found = alarms.find(connection, raised.id)
        assert found is not None
        return as_dict(found)

    def _send(self, connection: Connection, number: int, alarm: dict[str, Any], now: datetime) -> None:
        """Put the message of a self-test where the sinks that it names take it from."""
        test = selftests.find(connection, number)
        wanted = test.sinks if test else []
        for known in (True, False):
            messages = {name: selftest_message(now, number, alarm) for name in wanted if (name in self._sinks) is known}
            selftests.send(connection, number, messages, now, error=None if known else UNKNOWN_SINK)
