"""Workers that are processes, so that every core works.

Decoding a crop, and much of what surrounds a network, holds Python's interpreter lock, so that threads do not add up.
The processes are forked, not from the program, which has threads by then, but from another one: the nursery. It was
forked from the program once that had loaded its models and before it had any thread, and does nothing but fork workers,
at the start and whenever one has ended. So all share the memory of the models, and none ever loads them again.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from monitor.errors import WorkerLostError
from monitor.scoring.pools.remote import IGNORED, RemoteWorker, end_with, in_words, serve

if TYPE_CHECKING:
    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.trail import Slot, Trail

# What the kernel adds to a worker's points, of 1000, when memory runs out and it has to choose what to end: a worker is
# replaced, the program is not.
OUT_OF_MEMORY_POINTS: Final = "300"
# To the nursery: the id of a process to end, or 0 and the number of a slot on which to fork one. From it: the exit
# status of the former or the id of the latter, and the system's error where there is no new process.
ORDER: Final = struct.Struct("=II")
REPLY: Final = struct.Struct("=Ii")
# Where the system cannot make a process for lack of memory, it is tried again after these pauses.
FORK_PAUSES_SECONDS: Final = (0.1, 0.3, 1.0, 2.0)


class Nursery:
    """The process that forks workers; it lives as long as the thread that makes it."""

    def __init__(self, scorer: Scorer, trail: Trail) -> None:
        """Fork it here and now."""
        self.trail = trail
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        # Held back until the process ignores them: one that comes earlier would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
        try:
            self._process = os.fork()
            if not self._process:
                ours.close()
                _rear(parent, theirs, scorer, trail)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._orders = ours

    def fork(self, slot: int) -> tuple[int, Connection]:
        """Fork a worker on a slot: its process, and the connection to it. Raises `WorkerLostError`."""
        ours, theirs = socket.socketpair()
        with theirs:
            process, error = self._order(0, slot, theirs.fileno())
        connection = Connection(ours.detach())
        if error:
            raise _lost(f"the system makes no process: {os.strerror(error)}")
        return process, connection

    def end(self, process: int) -> str:
        """End a worker, if it has not ended yet; how it ended, in words. Raises `WorkerLostError`."""
        return in_words(os.waitstatus_to_exitcode(self._order(process, 0)[0]))

    def _order(self, process: int, slot: int, *descriptors: int) -> tuple[int, int]:
        try:
            socket.send_fds(self._orders, [ORDER.pack(process, slot)], descriptors)
            reply = self._orders.recv(REPLY.size)
        except OSError:
            reply = b""
        if not reply:
            raise _lost("the system ended all of them")
        number, error = REPLY.unpack(reply)
        return number, error

    def stop(self) -> None:
        """End it and all workers, and wait for them."""
        self._orders.close()
        os.waitpid(self._process, 0)


class ProcessWorker(RemoteWorker):
    """A worker that is a process of a nursery."""

    def __init__(self, nursery: Nursery, number: int) -> None:
        """``number``: of its slot."""
        slot = nursery.trail.slots[number]
        slot.rest()
        self.process, connection = nursery.fork(number)
        super().__init__(slot, connection)
        self._nursery = nursery

    def end(self) -> str:
        """Kill it."""
        self.close()
        return self._nursery.end(self.process)

    def close(self) -> None:
        """Let go of it; the nursery ends it when it ends itself."""
        self.connection.close()


def _lost(cause: str) -> WorkerLostError:
    return WorkerLostError(
        f"the processes that score crops are gone: {cause}; start again, with fewer of them (pipeline.workers) if it "
        "happens once more"
    )


def _rear(parent: int, orders: socket.socket, scorer: Scorer, trail: Trail) -> NoReturn:
    """Be the nursery."""
    try:
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
        end_with(parent)
        trail.detach()
        _obey(orders, scorer, trail)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the program's must run here
        traceback.print_exc()
    finally:
        os._exit(1)


def _obey(orders: socket.socket, scorer: Scorer, trail: Trail) -> None:
    """Fork and end workers until the program ends or wants no more, then end them all."""
    nursery = os.getpid()
    children: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, ORDER.size, 1)
        if not message:
            break
        process, slot = ORDER.unpack(message)
        if process:
            children.discard(process)
            orders.send(REPLY.pack(_ended(process), 0))
            continue
        process, error = _fork()
        if not process and not error:
            orders.close()
            _be_worker(nursery, Connection(descriptors[0]), scorer, trail.slots[slot])
        os.close(descriptors[0])
        if process:
            children.add(process)
        orders.send(REPLY.pack(process, error))
    for process in children:
        _ended(process)


def _ended(process: int) -> int:
    """The exit status of a child, which is killed if it still lives."""
    os.kill(process, signal.SIGKILL)
    return os.waitpid(process, 0)[1]


def _fork() -> tuple[int, int]:
    """The id of a new process and no error; or 0, and the error where there is no new process."""
    for pause in (*FORK_PAUSES_SECONDS, 0.0):
        try:
            return os.fork(), 0
        except OSError as error:
            number = error.errno or -1
            time.sleep(pause)
    return 0, number


def _be_worker(nursery: int, connection: Connection, scorer: Scorer, slot: Slot) -> NoReturn:
    try:
        end_with(nursery)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_POINTS, encoding="ascii")
        serve(connection, slot, scorer)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the program's must run here
        traceback.print_exc()
    finally:
        os._exit(1)
