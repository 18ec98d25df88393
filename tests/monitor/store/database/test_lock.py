"""The lock that keeps a second daemon away."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from monitor.store.database.engine import Database
from monitor.store.database.lock import only_daemon, owner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.process
def test_a_process_that_was_forked_does_not_hold_it(tmp_path: Path) -> None:
    """A worker that waits for a share cannot be ended, and must not keep the next daemon from beginning."""
    with closing(Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=1)) as database:
        ready, tell = os.pipe()
        with only_daemon(database):
            worker = os.fork()
            if not worker:
                os.write(tell, b"x")
                signal.pause()
                os._exit(0)
            os.read(ready, 1)
            assert owner(database) == str(os.getpid())
        try:
            assert owner(database) is None
            with only_daemon(database):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
            os.close(ready)
            os.close(tell)
