"""The lock that keeps a second daemon away from a SQLite file; the kernel frees it however its holder ends.

On a database server there is no such lock: several daemons may share the work, and unique keys keep them apart.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import AlreadyRunningError, OutputError
from monitor.files.ownership import give_same_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.database.engine import Database

# The descriptors of the locks that this process holds.
_held: set[int] = set()


def _let_go() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


# A process that is forked would hold them as well. One that scores crops may wait for a share that does not answer, so
# that nothing can end it.
os.register_at_fork(after_in_child=_let_go)


@contextmanager
def only_daemon(
    database: Database, *, remedy: str = "stop it first, or give this one its own paths.state"
) -> Iterator[None]:
    """Hold the lock; raises `AlreadyRunningError`, which names the process that holds it and says the ``remedy``."""
    path = _path(database)
    if path is None:
        yield
        return
    database.make_folder()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        # A service could not take a lock that root made beside it.
        give_same_owner(descriptor, path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        if not _take_patiently(descriptor):
            raise AlreadyRunningError(
                f"{database.file}: a daemon works on this database (process {_read(descriptor)}); {remedy}"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        _held.add(descriptor)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def owner(database: Database) -> str | None:
    """The id of the process on this machine that holds the lock; None if no daemon runs."""
    path = _path(database)
    try:
        descriptor = os.open(path or os.devnull, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return None if path is None or _take(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _path(database: Database) -> Path | None:
    return None if database.file is None else Path(f"{database.file}.daemon")


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_patiently(descriptor: int) -> bool:
    # `owner` holds the lock for a moment to find out whether it is free, so a single failure proves nothing.
    for _ in range(20):
        if _take(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(0.05)
    return False


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
