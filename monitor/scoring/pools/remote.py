"""What all workers have in common that are processes: what goes over the connection to them, and what they do."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from monitor.scoring.pools.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.trail import Slot
    from monitor.scoring.pools.wire import Flat
    from monitor.scoring.pools.worker import Task
    from monitor.store.models import ModelRow

# PR_SET_PDEATHSIG of prctl(2).
DEATH_SIGNAL: Final = 1
# A signal to the whole group of processes, as Ctrl-C is, is the program's to answer.
IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RemoteWorker(Worker):
    """A worker that is a process; ``process`` is its id."""

    process: int

    def __init__(self, slot: Slot, connection: Connection) -> None:
        super().__init__(slot)
        self.connection = connection

    def take(self) -> Callable[[], Flat]:
        """Wait for its answer; raises `EOFError` or `OSError` when it has ended.

        What is returned unpacks the answer, or raises what it says.
        """
        packed = self.connection.recv_bytes()

        def answer() -> Flat:
            flat, error = pickle.loads(packed)  # noqa: S301 - our own process wrote it
            if error is not None:
                raise error
            unpacked: Flat = flat
            return unpacked

        return answer

    def cpu_seconds(self) -> float:
        """Of the whole process."""
        try:
            # The clock of a process, as clock_getcpuclockid(3) makes it.
            return time.clock_gettime(~self.process << 3 | 2)
        except OSError:
            return 0.0

    def _send(self, number: int, task: Task) -> None:
        # That it has ended shows when its answer is waited for.
        with suppress(OSError):
            self.connection.send_bytes(pickle.dumps((number, [model.row for model in task.ensemble.asked])))


def serve(connection: Connection, slot: Slot, scorer: Scorer) -> None:
    """Do what comes over the connection until it ends."""
    # It ends when the program does.
    with suppress(EOFError, OSError):
        while True:
            number, rows = pickle.loads(connection.recv_bytes())  # noqa: S301 - the program wrote it
            connection.send_bytes(_answer(slot, scorer, number, rows))


def _answer(slot: Slot, scorer: Scorer, number: int, rows: Sequence[ModelRow]) -> bytes:
    flat = error = None
    try:
        slot.begin(number)
        scorer.load(rows)
        flat = scorer.run(slot, number, scorer.detectors)
    except Exception as caught:  # noqa: BLE001 - the program says what it is
        error = caught
        error.add_note(f"in a process that scores: {traceback.format_exc()}")
    slot.rest()
    try:
        return pickle.dumps((flat, error))
    except Exception:  # noqa: BLE001 - an exception of a third party may hold whatever it likes
        return pickle.dumps((None, RuntimeError(repr(error))))


def end_with(parent: int) -> None:
    """Let this process end as soon as its parent has."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def in_words(code: int) -> str:
    """How a process ended, by its exit code, which is negative where it ended by a signal."""
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
