"""A worker that is a new process, for suspects alone, where all others are scored in a thread of the program.

A thread that a file ends takes the program along. So after that a file that was in hand is tried in another program,
which loads the models for itself.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import WorkerLostError
from monitor.scoring.pools.remote import IGNORED, RemoteWorker, end_with, in_words, serve
from monitor.scoring.pools.trail import map_slot

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.scoring.pools.trail import Trail

# It finds modules where the program does.
CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from monitor.scoring.pools.apart import main; main()"
)


class ApartWorker(RemoteWorker):
    """A worker that is a process which begins from nothing."""

    def __init__(self, configuration: Configuration, trail: Trail, number: int, root: Path | None = None) -> None:
        """``number``: of its slot, which is its own. ``root``: as for `Scorer`. Raises `WorkerLostError`.

        It ends with the thread that makes it.
        """
        trail.slots[number].rest()
        ours, theirs = socket.socketpair()
        with theirs:
            passed = theirs.fileno(), trail.descriptor
            arguments = [json.dumps(_module_folders()), *map(str, (*passed, number))]
            command = [sys.executable, "-P", "-c", CODE, *arguments]
            try:
                # Libraries cannot be loaded in a working folder that was removed.
                self._program = subprocess.Popen(command, pass_fds=passed, cwd="/")  # noqa: S603 - it is this program
            except OSError as error:
                ours.close()
                raise WorkerLostError(
                    f"{sys.executable}: the process that tries files alone cannot be started: {error.strerror}; free "
                    "some memory or correct the installation, and start again"
                ) from None
        self.process = self._program.pid
        super().__init__(trail.slots[number], Connection(ours.detach()))
        self.connection.send_bytes(pickle.dumps((configuration, root)))

    def end(self) -> str:
        """Kill it."""
        self._program.kill()
        code = self._program.wait()
        self.connection.close()
        return in_words(code)

    def close(self) -> None:
        """Kill it."""
        self.end()


def _module_folders() -> list[str]:
    """Where this program finds modules, as whole paths; relative ones start in the working folder, if there is one."""
    try:
        here = Path.cwd()
    except OSError:
        return [folder for folder in sys.path if folder.startswith("/")]
    return [str(here / folder) for folder in sys.path]


def main() -> None:
    """Be that process: its arguments are where modules are, the connection, the trail, and the number of its slot."""
    import signal

    from threadpoolctl import threadpool_limits

    from monitor import logs
    from monitor.registry import Registry
    from monitor.scoring.pools.scorer import Scorer

    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    end_with(os.getppid())
    connection, descriptor, slot = Connection(int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
    configuration: Configuration
    configuration, root = pickle.loads(connection.recv_bytes())  # noqa: S301 - the program wrote it
    settings = configuration.settings.logging
    logs.setup(settings.level, settings.format)
    scorer = Scorer(configuration, Registry.load(), root)
    # The time that a crop takes is that of all threads together.
    threadpool_limits(1)
    mapped = map_slot(descriptor, slot)
    os.close(descriptor)
    serve(connection, mapped, scorer)
