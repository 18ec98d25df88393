"""Where each worker is: which file it reads, decodes or scores, in memory that outlives it.

The memory is a file in the state folder, mapped by the program and by its workers, so noting a step takes a fraction of
a microsecond and no system call. However a worker ends, the program sees where it was; however the program ends, the
next one does. Only a power cut loses it.

A slot belongs to one worker. Its first page holds two words: the number of the task, and the row of the file together
with the phase, so that these change at once. Behind it lie the paths of two tasks, the one that is worked on and the
next.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import tempfile
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.ownership import give_same_owner

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

# The folder in the state folder that has a file for each program that scores.
FOLDER: Final = "in-progress"
# A file's name begins with the version of its layout: another version's is removed without being read.
PREFIX: Final = "1-"
PAGE: Final = 4096
# The room for the paths of one task. Where they need more, the worker takes the first ones and leaves the others.
PATHS_BYTES: Final = 256 * 1024
SLOT_BYTES: Final = PAGE + 2 * PATHS_BYTES
# The length of the paths stands before them.
LENGTH_BYTES: Final = 8
# The phase is in the lowest bits of its word, the row above it.
PHASE_BITS: Final = 3
NUMBERS: Final = 2**31


class Phase(IntEnum):
    """What a worker does."""

    IDLE = 0
    # It loads models that it does not have yet.
    LOADING = 1
    # It parses the names of all files of its task.
    NAMING = 2
    # It opens and reads a file, and may have to wait for a disk or a share.
    READING = 3
    # It computes, with the content of one file.
    DECODING = 4
    # It computes, with all the crops that it has read.
    SCORING = 5


class Position(NamedTuple):
    """Where a worker is. ``row``: of the file among those of its task, or of the last where it has several in hand."""

    number: int
    row: int
    phase: Phase


class Slot:
    """The part of the memory that belongs to one worker: it writes, and others may read at any moment."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._words = memory[:PAGE].cast("I")
        self._row = 0

    def put(self, number: int, paths: Sequence[str]) -> None:
        """Lay down the paths of a task, as many of the first as there is room for; at most two tasks lie here."""
        area = self._area(number)
        blob = os.fsencode("\0".join(paths))
        if len(blob) > PATHS_BYTES - LENGTH_BYTES:
            end = blob.rfind(b"\0", 0, PATHS_BYTES - LENGTH_BYTES + 1)
            if end < 0:
                raise ValueError(f"a path of {len(paths[0]):,} characters is too long to be worked on")
            blob = blob[:end]
        area[:LENGTH_BYTES] = len(blob).to_bytes(LENGTH_BYTES, "little")
        area[LENGTH_BYTES : LENGTH_BYTES + len(blob)] = blob

    def paths(self, number: int) -> list[str]:
        """The paths of a task."""
        area = self._area(number)
        length = int.from_bytes(area[:LENGTH_BYTES], "little")
        return os.fsdecode(bytes(area[LENGTH_BYTES : LENGTH_BYTES + length])).split("\0")

    def begin(self, number: int) -> None:
        """Note that the worker begins with a task."""
        self.rest()
        self._words[0] = number
        self._words[1] = Phase.LOADING

    def naming(self, count: int) -> None:
        """Note that it parses the names of so many files."""
        self._note(count - 1, Phase.NAMING)

    def reading(self, row: int) -> None:
        """Note that it opens the file of this row."""
        # These two are done for each crop, and spelled out they take half the time.
        self._row = row
        self._words[1] = row << 3 | 3

    def decoding(self) -> None:
        """Note that it has read the file and decodes it."""
        self._words[1] = self._row << 3 | 4

    def scoring(self) -> None:
        """Note that it scores what it has read."""
        self._note(self._row, Phase.SCORING)

    def rest(self) -> None:
        """Note that the task is done, or that there is no worker any more."""
        self._note(0, Phase.IDLE)

    def _note(self, row: int, phase: Phase) -> None:
        self._words[1] = row << PHASE_BITS | phase

    def revoke(self) -> None:
        """Take the memory away from a thread that still has it: it fails at its next step. The position stays."""
        words, self._words = self._words, memoryview(bytes(self._words)).cast("I")
        words[1] = Phase.IDLE

    def position(self) -> Position:
        """Where the worker is."""
        number, word = self._words[:2]
        return Position(number, word >> PHASE_BITS, Phase(word & (1 << PHASE_BITS) - 1))

    def suspects(self) -> list[str]:
        """The files of which one may have ended the worker, where it is now; none while it has none in hand."""
        number, row, phase = self.position()
        if phase in {Phase.IDLE, Phase.LOADING}:
            return []
        paths = self.paths(number)
        return paths[: row + 1] if phase in {Phase.NAMING, Phase.SCORING} else paths[row : row + 1]

    def _area(self, number: int) -> memoryview:
        start = PAGE + number % 2 * PATHS_BYTES
        return self._memory[start : start + PATHS_BYTES]


class Trail:
    """The memory of one program, with a slot for each worker.

    ``left_over``: the files that programs had in hand which were killed before this one began. ``descriptor``: of the
    file, for a worker that maps it by itself.
    """

    def __init__(self, state: Path | None, slots: int) -> None:
        """Keep it in the state folder, or, for None or where nothing can be written there, in memory that ends."""
        self.left_over: list[str] = []
        self._path: Path | None = None
        self._lock: int | None = None
        size = slots * SLOT_BYTES
        if state is not None:
            try:
                self._open(state / FOLDER, size)
            except OSError as error:
                log.warning(
                    "%s: cannot be written: %s; should this program be killed, the next will not know by which file",
                    state / FOLDER, error.strerror,
                )  # fmt: skip
        if self._path is None:
            self.descriptor = os.memfd_create("monitor", os.MFD_CLOEXEC)
            os.ftruncate(self.descriptor, size)
        memory = memoryview(mmap.mmap(self.descriptor, size))
        self.slots = [Slot(memory[start : start + SLOT_BYTES]) for start in range(0, size, SLOT_BYTES)]

    def _open(self, folder: Path, size: int) -> None:
        folder.mkdir(exist_ok=True)
        give_same_owner(folder, folder.parent)
        self.left_over = _left_over(folder)
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=folder)
        try:
            give_same_owner(descriptor, folder)
            # All of it now: a write into a mapped file on a full disk ends the program.
            os.posix_fallocate(descriptor, 0, size)
            # It is locked as long as this program lives. By a descriptor of its own, which its workers can close: the
            # other one belongs to the memory that they share.
            self._lock = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            Path(name).unlink()
            raise
        self._path, self.descriptor = Path(name), descriptor

    def detach(self) -> None:
        """Let go of the file in a process that was forked, which keeps the memory."""
        if self._lock is not None:
            os.close(self._lock)

    def close(self) -> None:
        """Forget everything: the program ends in order. The memory may still be written to, and means nothing."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.detach()
        os.close(self.descriptor)


def map_slot(descriptor: int, number: int) -> Slot:
    """A slot of another program's trail."""
    memory = memoryview(mmap.mmap(descriptor, (number + 1) * SLOT_BYTES))
    return Slot(memory[number * SLOT_BYTES :])


def _left_over(folder: Path) -> list[str]:
    """What programs had in hand that no longer live; their files are removed."""
    found: list[str] = []
    for path in sorted(folder.iterdir()):
        # Another program may remove it at the same time, or it is another user's.
        with suppress(FileNotFoundError, PermissionError), path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            size = os.fstat(file.fileno()).st_size // SLOT_BYTES * SLOT_BYTES
            if path.name.startswith(PREFIX) and size:
                found += _read(mmap.mmap(file.fileno(), size))
            path.unlink()
    return list(dict.fromkeys(found))


def _read(content: mmap.mmap) -> list[str]:
    memory = memoryview(content)
    found: list[str] = []
    for start in range(0, len(memory), SLOT_BYTES):
        # A file that was damaged is worth no more than what it still says.
        with suppress(ValueError):
            found += Slot(memory[start : start + SLOT_BYTES]).suspects()
    return [path for path in found if path]
