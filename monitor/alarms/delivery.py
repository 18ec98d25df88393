"""Delivers messages to one sink: at least once each, in order for each hole, again and again until they are taken."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.alarms.messages import message
from monitor.alarms.states import hole_states, shows
from monitor.errors import DeliveryError
from monitor.files.text import printable
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.api import HoleState, Sink
    from monitor.store.database.engine import Database
    from monitor.store.outbox import Due

log = logging.getLogger(__name__)

# The pauses before another try: the first, doubled each time, up to the longest, each by up to half longer or shorter,
# so that many daemons do not come back to a receiver at one moment.
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=5)
# For so long no other program tries a message that is being sent; a sink gives up sooner.
LEASE: Final = timedelta(seconds=60)
# So many messages are looked for at once: finding them costs the more the more are due, after days without a receiver.
SENT_TOGETHER: Final = 100
# After so long it is the turn of others in the thread, such as heartbeats, on which a receiver may rely.
TURN: Final = timedelta(seconds=1)
# The longest pause before it is tried again at the start to show which holes are in alarm.
LONGEST_SHOW_PAUSE: Final = timedelta(seconds=10)
# The most characters of an error that are kept.
LONGEST_ERROR: Final = 500


class Delivery:
    """What one sink gets. A sink whose receiver is slow or dead keeps only itself waiting."""

    def __init__(
        self,
        database: Database,
        name: str,
        sink: Sink,
        count: Callable[[str, str], None] = lambda _sink, _outcome: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``count`` is called with the sink's name and "delivered" or "failed" for each attempt."""
        self.name = name
        self._database = database
        self._sink = sink
        self._count = count
        self._clock = clock
        self._failing = False
        # How often it was tried in vain to show which holes are in alarm at the start; None: it is done.
        self._not_shown: int | None = 0
        self._show_at = datetime.min.replace(tzinfo=UTC)

    def begin(self, *, take_up: bool = True) -> None:
        """Say what the sink lacks; ``take_up``: and take up what a killed program left. Raises `StoreError`."""
        problem = complaint(self._sink)
        if problem is not None:
            log.warning("sink %s: %s; messages about alarms wait for it", self.name, problem)
        if take_up and self._database.file is not None:  # no other daemon uses the file
            with self._database.write() as connection:
                outbox.release(connection, self.name, self._clock())

    def step(self) -> bool:
        """Try the next messages that may be sent, up to one that fails; False where none may. Raises `StoreError`."""
        with self._database.read() as connection:
            found = outbox.next_due(connection, self.name, self._clock(), SENT_TOGETHER)
        if not found:
            self._begin_to_show()
        until = self._clock() + TURN
        for due in found:
            if not self._tried(due) or self._clock() > until:
                break
        return bool(found)

    def _tried(self, due: Due) -> bool:
        """Try a message, unless another program does; False where it was not taken."""
        states = self._states()
        with self._database.write() as connection:
            if not outbox.claim(connection, due, self._clock() + LEASE):
                return True
        try:
            if states is not None:
                self._show(states)
            self._sink.send(message(due))
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._failed(due, sentence(error))
            return False
        self._delivered(due)
        return True

    def end(self) -> None:
        """Let the sink close its connections."""
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            log.warning("sink %s was not closed: %s", self.name, sentence(error))

    def _states(self) -> Sequence[HoleState] | None:
        if not shows(self._sink):
            return None
        with self._database.read() as connection:
            return hole_states(connection)

    def _show(self, states: Sequence[HoleState]) -> None:
        self._sink.show(states)
        if self._not_shown:
            log.info("sink %s shows now which holes are in alarm", self.name)
        self._not_shown = None

    def _begin_to_show(self) -> None:
        """Show at the start how things are, although there is no message."""
        if self._not_shown is None or self._clock() < self._show_at or (states := self._states()) is None:
            return
        try:
            self._show(states)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._not_shown += 1
            self._show_at = self._clock() + min(pause_after(self._not_shown), LONGEST_SHOW_PAUSE)
            if self._not_shown == 1:
                log.warning(
                    "sink %s: %s; which holes are in alarm is not shown there, and it is tried again",
                    *(self.name, sentence(error)),
                )

    def _delivered(self, due: Due) -> None:
        with self._database.write() as connection:
            outbox.delivered(connection, due, self._clock())
        self._count(self.name, "delivered")
        if self._failing:
            log.info("sink %s takes messages again", self.name)
        self._failing = False

    def _failed(self, due: Due, error: str) -> None:
        pause = pause_after(due.attempts + 1)
        with self._database.write() as connection:
            outbox.failed(connection, due, error, self._clock() + pause)
        self._count(self.name, "failed")
        if not self._failing:
            log.warning(
                "sink %s: %s; the message that alarm %d is %s waits and is tried again: monitor alarms deliveries",
                *(self.name, error, due.alarm_id, due.kind),
            )
        self._failing = True


def complaint(sink: Sink) -> str | None:
    """Why a sink could not work as things are, in a sentence; None where it could."""
    try:
        sink.check()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        return sentence(error)
    return None


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts have failed."""
    doubled = 2.0 ** min(attempts - 1, 20)  # far beyond the longest already
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE) * random.uniform(0.5, 1.5)


def sentence(error: Exception) -> str:
    """What went wrong, in a line; of an error that no sink has foreseen, with its type."""
    words = str(error) if isinstance(error, DeliveryError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(words.split()))[:LONGEST_ERROR]
