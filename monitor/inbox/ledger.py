"""The files that a watcher has come across: which are in flight, which are incomplete, which are finished.

A plain object without a thread or a clock: ``now`` is always what a monotonic clock shows, in seconds.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.looks import look
from monitor.inbox.messages import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.settings import Watch
    from monitor.files.looks import Looks

# An incomplete file is offered again after the first pause; each further pause is twice as long, up to the longest.
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0
# Finished files that are remembered, so that late events about them cause no look-up in the store.
RECENT_LIMIT: Final = 8192


class Waiting(NamedTuple):
    """How many files have no decision yet, and the earliest of their last changes; None where there are no files.

    ``oldest_ns``: nanoseconds since 1970.
    """

    crops: int
    oldest_ns: int | None


@dataclass(slots=True)
class _Incomplete:
    """An incomplete file: since when it has looked like this, the pause before the next try, and when that is due."""

    looks: Looks | None
    since: float
    pause: float
    due: float


class Ledger:
    """Keeps account of files by their paths, so that each is in flight only once at a time.

    A file is offered (it is in flight then), and comes back as finished or as incomplete. An incomplete one waits and
    is offered again with growing pauses. Once it has not changed for ``settings.settle_seconds`` it is offered as
    settled, and after ``settings.give_up_seconds`` as final.
    """

    def __init__(
        self,
        settings: Watch,
        look: Callable[[str], Looks | None] = look,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``time_ns``: nanoseconds since 1970, which count as the last change of a file that is gone."""
        self._settings = settings
        self._look = look
        self._time_ns = time_ns
        self._in_flight: set[str] = set()
        self._touched_in_flight: set[str] = set()
        self._incomplete: dict[str, _Incomplete] = {}
        # A heap of (time, path). A path that was offered earlier than planned stays in it and is skipped later.
        self._due: list[tuple[float, str]] = []
        self._recent: OrderedDict[str, Looks | None] = OrderedDict()
        # The last change, in nanoseconds since 1970, of every file that is in flight or incomplete.
        self._changed_ns: dict[str, int] = {}

    def waiting(self) -> Waiting:
        """The files that are in flight or incomplete; may be asked from any thread."""
        # A dictionary that another thread changes can be copied, which is one step of the interpreter.
        changes = list(self._changed_ns.values())
        return Waiting(len(changes), min(changes, default=None))

    def is_pending(self, path: str) -> bool:
        """Whether a path is in flight or incomplete."""
        return path in self._in_flight or path in self._incomplete

    def is_known(self, path: str) -> bool:
        """Whether a path is pending, or was finished and has not changed since."""
        return self.is_pending(path) or self._is_finished(path)

    def touch(self, path: str) -> bool:
        """Note that an event named a path; whether it has to be offered now."""
        if path in self._in_flight:
            self._touched_in_flight.add(path)
            return False
        return not self._is_finished(path)

    def offer(self, path: str, now: float) -> Candidate:
        """Note that a path is in flight from now on; what is to be delivered."""
        self._in_flight.add(path)
        looks = self._look(path)
        self._changed_ns[path] = self._time_ns() if looks is None else looks.ctime_ns
        entry = self._incomplete.get(path)
        if entry is None:
            return Candidate(path)
        if looks != entry.looks:
            entry.looks, entry.since = looks, now
        final = now - entry.since >= self._settings.give_up_seconds
        settled = final or now - entry.since >= self._settings.settle_seconds
        return Candidate(path, entry.looks, settled, final)

    def finish(self, path: str, seen: Looks | None) -> bool:
        """Note that a path is finished, which looked like this when it was read; whether it has to be offered again."""
        self._in_flight.discard(path)
        self._incomplete.pop(path, None)
        self._changed_ns.pop(path, None)
        self._recent[path] = seen
        self._recent.move_to_end(path)
        if len(self._recent) > RECENT_LIMIT:
            self._recent.popitem(last=False)
        if path not in self._touched_in_flight:
            return False
        self._touched_in_flight.discard(path)
        return not self._is_finished(path)

    def postpone(self, path: str, seen: Looks | None, now: float) -> None:
        """Note that a path was incomplete when it was read, and looked like this then; it is due again later."""
        self._in_flight.discard(path)
        entry = self._incomplete.get(path)
        if entry is None:
            entry = self._incomplete[path] = _Incomplete(seen, now, FIRST_PAUSE_SECONDS, now)
        else:
            entry.pause = min(2 * entry.pause, LONGEST_PAUSE_SECONDS)
            if entry.looks != seen:
                entry.looks, entry.since = seen, now
        if seen is not None:
            self._changed_ns[path] = seen.ctime_ns
        entry.due = self._next_try(entry, now)
        if path in self._touched_in_flight:
            self._touched_in_flight.discard(path)
            entry.due = now
        heapq.heappush(self._due, (entry.due, path))

    def next_due(self) -> float | None:
        """When to ask `take_due` again; None while no file is incomplete."""
        return self._due[0][0] if self._due else None

    def take_due(self, now: float) -> str | None:
        """An incomplete path whose pause is over; None where there is none, or no more."""
        while self._due and self._due[0][0] <= now:
            due, path = heapq.heappop(self._due)
            entry = self._incomplete.get(path)
            # An event may have offered the path earlier; its next try is another entry of the heap then.
            if entry is not None and entry.due == due and path not in self._in_flight:
                return path
        return None

    def _next_try(self, entry: _Incomplete, now: float) -> float:
        """After the pause, but not later than the file counts as settled, or as given up."""
        ends = (entry.since + self._settings.settle_seconds, entry.since + self._settings.give_up_seconds)
        return min([now + entry.pause, *(end for end in ends if end > now)])

    def _is_finished(self, path: str) -> bool:
        """Whether a path was finished and has not changed since, or is gone: a decided file may be moved away."""
        return path in self._recent and self._look(path) in (self._recent[path], None)
