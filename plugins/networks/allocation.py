"""How the process asks for memory: a detector that scores needs the same large arrays again for every batch."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Final

# glibc's numbers of these two options, from malloc.h.
MMAP_THRESHOLD: Final = -3
TRIM_THRESHOLD: Final = -1


@cache
def keep_freed_memory() -> None:
    """Let the process keep the memory that it frees, up to 2 GiB, rather than give it back after every step.

    For Linux with glibc; elsewhere, and where the allocator has no such options, nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # An array of a whole batch, as each layer of a network makes one, is so large that glibc asks the kernel for it and
    # returns it at once, so every batch pays for the same pages again, one fault for each 4 KiB: up to a third of the
    # time.
    mallopt(MMAP_THRESHOLD, 1 << 30)
    mallopt(TRIM_THRESHOLD, 2**31 - 1)
