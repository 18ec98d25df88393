"""What a pool knows of each of its workers: its tasks, where it is, and for how long it has been there."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from monitor.scoring.pools.trail import NUMBERS, Phase, Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.trail import Slot
    from monitor.scoring.pools.wire import Flat

# A worker has one task in hand and one waiting, so that it never waits for the next.
TASKS: Final = 2
# Crops that are scored together take less time than the same crops alone: each further one adds this share.
SHARE_OF_FURTHER_CROPS: Final = 1 / 16
# A worker that stands still for so many times the processor time that it may take hangs: it waits for what never comes.
# Far more, because on a busy machine a worker may wait long for its turn.
HANGS_FACTOR: Final = 6

Excess = Literal["costly", "hanging"]


@dataclass(eq=False)
class Task:
    """Files to be read and scored by an ensemble.

    ``first``: how many of the first files are to be worked on together. ``future`` gets the answer about them, or about
    fewer. ``done``: it has got it.
    """

    paths: Sequence[str]
    ensemble: Ensemble
    future: Future[Flat]
    first: int = 0
    done: bool = False

    @property
    def together(self) -> Sequence[str]:
        """The files that are worked on together."""
        return self.paths[: self.first]


@dataclass
class _Stay:
    """Since when a worker has been at a position: processor seconds and seconds of a monotonic clock."""

    position: Position
    cpu_seconds: float
    since: float


class Worker(ABC):
    """One worker: a process or a thread. Its methods are for one thread at a time."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.tasks: deque[tuple[int, Task]] = deque()
        self.busy_since = 0.0
        self._number = 0
        self._stay = _Stay(Position(0, 0, Phase.IDLE), 0.0, 0.0)

    def hand(self, task: Task) -> None:
        """Give it a task; it has fewer than `TASKS`."""
        self._number = (self._number + 1) % NUMBERS
        self.slot.put(self._number, task.together)
        if not self.tasks:
            self.busy_since = time.monotonic()
        self.tasks.append((self._number, task))
        self._send(self._number, task)

    def finished(self) -> Task:
        """The task that it had in hand is done."""
        self.busy_since = time.monotonic()
        return self.tasks.popleft()[1]

    def suspects(self) -> tuple[list[str], Phase]:
        """The files by one of which it may have ended, and what it did with them."""
        position = self.slot.position()
        if not self.tasks or self.tasks[0][0] != position.number:
            return [], Phase.IDLE
        return self.slot.suspects(), position.phase

    def excess(self, now: float, seconds: float) -> Excess | None:
        """Whether it has been too long at one file, or at scoring, where a crop may take so many processor seconds."""
        position = self.slot.position()
        if position != self._stay.position:
            self._stay = _Stay(position, self.cpu_seconds(), now)
        if position.phase in {Phase.IDLE, Phase.LOADING}:
            return None
        if position.phase in {Phase.NAMING, Phase.SCORING}:
            seconds *= 1 + position.row * SHARE_OF_FURTHER_CROPS
        if self.cpu_seconds() - self._stay.cpu_seconds > seconds:
            return "costly"
        # A disk or a share may take as long as it likes to answer.
        waits = position.phase is Phase.READING
        return "hanging" if not waits and now - self._stay.since > HANGS_FACTOR * seconds else None

    @abstractmethod
    def cpu_seconds(self) -> float:
        """How long processors have worked for it; 0 where it has ended."""

    @abstractmethod
    def end(self) -> str:
        """End it, whatever it does; how it ended, in words. Its slot stays as it is. Raises `WorkerLostError`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it when the pool ends."""

    @abstractmethod
    def _send(self, number: int, task: Task) -> None:
        """Let it begin with a task whose files lie in its slot."""
