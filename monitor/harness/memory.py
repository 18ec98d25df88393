"""The peak of the memory of a program and of all that it starts."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

# The kernel walks all pages of a process to tell its memory, which takes a millisecond each time.
LOOK_SECONDS: Final = 0.5


class Memory:
    """The peak of the memory of a process and all its descendants together, in bytes.

    Pages that several of them share are counted once (the kernel's proportional set size). That is looked up every half
    second; for what happens in between there is the peak that the kernel remembers of each process alone. Not
    ``ru_maxrss``, which begins with the memory of the program that started the process.
    """

    def __init__(self, root: int) -> None:
        self.peak_bytes = 0
        self._root = root
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            self.peak_bytes = max(self.peak_bytes, *tree_bytes(self._root))


def tree_bytes(root: int) -> tuple[int, int]:
    """The memory of a process and its descendants together now, and the peak of the largest of them alone."""
    try:
        parent = psutil.Process(root)
        tree = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    return sum(_proportional_bytes(one) for one in tree), max(_peak_bytes(one) for one in tree)


def _proportional_bytes(process: psutil.Process) -> int:
    # It may have ended in the meantime.
    with suppress(psutil.NoSuchProcess):
        pss: int = process.memory_full_info().pss
        return pss
    return 0


def _peak_bytes(process: psutil.Process) -> int:
    # psutil does not tell this one.
    with suppress(OSError):
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
        return sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return 0
