"""Whether what was committed would still be there after a crash; asked before anything is deleted that it stands for.

SQLite keeps what it has committed in the file and in the log beside it, ``-wal``, and finds it there by an index that
its connections share, ``-shm``. When another program removes the log or cuts off a file, open connections go on as if
nothing had happened, and the next program finds less. So the rows are read by a new connection, and the log is compared
with its index; https://www.sqlite.org/walformat.html describes both.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StoreDoubtError
from monitor.files.chunks import chunks
from monitor.store.database.rows import VALUES_AT_ONCE
from monitor.store.database.schema import crops
from monitor.store.database.translation import database_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitor.store.database.engine import Database

# The index begins with two equal headers, which differ while they are being written. In each: the page size at byte 14,
# how many frames of the log are committed, the checksum of the last one, and the salts as they stand in the log.
_INDEX_BYTES: Final = 48
_INDEX: Final = struct.Struct("=14xHI4xII8s8x")
# The log begins with a header, which has the salts at byte 16. Then come frames, each a header and a page; a frame's
# header has the salts as well, at byte 8, and then a checksum of all that comes before.
_LOG_HEADER: Final = struct.Struct(">16x8s8x")
_FRAME_HEADER: Final = struct.Struct(">8x8sII")
# How often to look again if the log was written meanwhile.
_LOOKS: Final = 20


class _Log(NamedTuple):
    """What the index says of the log. ``checksum``: of the last frame."""

    page_bytes: int
    frames: int
    checksum: tuple[int, int]
    salts: bytes

    def start(self, frame: int) -> int:
        """Where a frame begins in the log, counted from 1."""
        return _LOG_HEADER.size + (frame - 1) * (_FRAME_HEADER.size + self.page_bytes)


class Proof:
    """Looks whether rows can be relied on. For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file = database.file
        self._identity: tuple[int, int] | None = None
        self._largest = 0
        self._log: _Log | None = None
        # What was found wrong with the files, for as long as the program runs: SQLite may write over the traces.
        self._doubt: str | None = None
        # Without a pool each connection is a new one.
        self._server = None
        if self._file is None:
            self._server = create_engine(database.engine.url, poolclass=NullPool, connect_args={"connect_timeout": 5})

    def require(self, contents: Mapping[int, str]) -> None:
        """Raise `StoreDoubtError` unless a new connection finds crops of these ids and contents."""
        doubt = self._doubt or (
            self._of_server(contents) if self._file is None else self._of_file(self._file, contents)
        )
        if doubt is not None:
            raise StoreDoubtError(f"{self._database.description}: {doubt}")

    def _of_server(self, contents: Mapping[int, str]) -> str | None:
        assert self._server is not None
        found: dict[int, str] = {}
        try:
            with self._server.connect() as connection:
                for ids in chunks(sorted(contents), VALUES_AT_ONCE):
                    rows = connection.execute(select(crops.c.id, crops.c.sha256).where(crops.c.id.in_(ids)))
                    found.update({row.id: row.sha256 for row in rows})
        except SQLAlchemyError as error:
            raise database_error(error, self._database.description) from error
        return _missing(contents, found)

    def _of_file(self, file: Path, contents: Mapping[int, str]) -> str | None:
        try:
            # Not closed before the files are looked at: the last connection that is closed removes the log.
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
                found = _rows(connection, sorted(contents))
                (mode,) = connection.execute("pragma journal_mode").fetchone()
                (pages,) = connection.execute("pragma page_count").fetchone()
                (page_bytes,) = connection.execute("pragma page_size").fetchone()
                self._doubt = self._of_files(file, has_log=mode == "wal") or _cut_off(file, pages * page_bytes)
        except (sqlite3.Error, OSError) as error:
            return f"a new connection cannot read it ({error}); restart monitor, then check it: monitor db check --full"
        return self._doubt or _missing(contents, found)

    def _of_files(self, file: Path, *, has_log: bool) -> str | None:
        status = file.stat()
        identity = (status.st_dev, status.st_ino)
        self._identity = self._identity or identity
        if identity != self._identity:
            return "the file was replaced while it was in use; restart monitor"
        # It is made smaller by `monitor db prune --vacuum` alone, which no daemon runs beside.
        if status.st_size < self._largest:
            return f"the file was cut off while it was in use: it had {self._largest:,} bytes; restart monitor"
        self._largest = status.st_size
        return self._of_log(file) if has_log else None

    def _of_log(self, file: Path) -> str | None:
        log, index = (file.with_name(f"{file.name}-{suffix}") for suffix in ("wal", "shm"))
        descriptor = _index_descriptor(index)
        with log.open("rb", buffering=0) as log_file:
            now: _Log | None = None
            for _ in range(_LOOKS):
                before, now = now, _described(os.pread(descriptor, 2 * _INDEX_BYTES, 0))
                if now is None:
                    continue
                if self._is_whole(log_file.fileno(), now):
                    self._log = now
                    return None
                if now == before:
                    break  # nobody writes to it
        return f"{log.name} was removed or cut off while it was in use; restart monitor"

    def _is_whole(self, log: int, now: _Log) -> bool:
        """Whether the log holds its frames: those that it did not have at the last look, and the last of the others."""
        if not now.frames:
            return True
        (salts,) = _LOG_HEADER.unpack(_read(log, _LOG_HEADER, 0))
        if salts != now.salts or os.fstat(log).st_size < now.start(now.frames + 1):
            return False
        before = self._log if self._log is not None and self._log.salts == now.salts else None
        known = before.frames if before is not None else 0
        found = {
            frame: _FRAME_HEADER.unpack(_read(log, _FRAME_HEADER, now.start(frame)))
            for frame in range(max(known, 1), now.frames + 1)
        }
        wanted = [one for one in (before, now) if one is not None and one.frames]
        return all(salts == now.salts for salts, *_ in found.values()) and all(
            found.get(one.frames) == (one.salts, *one.checksum) for one in wanted
        )


# By (device, inode), the descriptors of indexes.
_index_descriptors: dict[tuple[int, int], int] = {}


def _cut_off(file: Path, expected_bytes: int) -> str | None:
    """What is wrong with a file that is smaller than its pages although its log holds none of them."""
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size:
        return None
    found = file.stat().st_size
    if found >= expected_bytes:
        return None
    return f"the file was cut off: it should have {expected_bytes:,} bytes and has {found:,}; restart monitor"


def _index_descriptor(index: Path) -> int:
    """A descriptor for reading the index, which is never closed.

    SQLite holds locks on this file, and the system drops all locks of a process on a file as soon as the process closes
    any descriptor of it.
    """
    status = index.stat()
    identity = (status.st_dev, status.st_ino)
    if identity not in _index_descriptors:
        _index_descriptors[identity] = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
    return _index_descriptors[identity]


def _described(index: bytes) -> _Log | None:
    """What the beginning of the index says; None while it is being written."""
    if len(index) < 2 * _INDEX_BYTES or index[:_INDEX_BYTES] != index[_INDEX_BYTES:]:
        return None
    page, frames, first, second, salts = _INDEX.unpack_from(index)
    # A page of 64 KiB does not fit into two bytes.
    return _Log(65536 if page == 1 else page, frames, (first, second), salts)


def _read(log: int, layout: struct.Struct, start: int) -> bytes:
    """What lies in the log at this place, with zeros beyond its end."""
    return os.pread(log, layout.size, start).ljust(layout.size, b"\0")


def _rows(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for some in chunks(ids, VALUES_AT_ONCE):
        places = ",".join("?" * len(some))
        found.update(connection.execute(f"select id, sha256 from crops where id in ({places})", some))  # noqa: S608
    return found


def _missing(contents: Mapping[int, str], found: Mapping[int, str]) -> str | None:
    missing = [crop_id for crop_id, sha256 in contents.items() if found.get(crop_id) != sha256]
    if not missing:
        return None
    return f"a new connection does not find {len(missing)} stored crops, such as number {missing[0]}; restart monitor"
