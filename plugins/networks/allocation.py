"""Keeps the memory that one batch frees for the next one, which needs arrays of the same size."""

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
    """Let the process keep the memory that it frees, up to 2 GiB, instead of returning it after every step.

    For Linux with glibc; elsewhere, and where the allocator has no such options, nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # Each layer of a network makes an array for a whole batch. It is so large that glibc gets it from the kernel and
    # returns it at once, so every batch pays for the same pages again, a fault for each 4 KiB: up to a third of the
    # time.
    mallopt(MMAP_THRESHOLD, 1 << 30)
    mallopt(TRIM_THRESHOLD, 2**31 - 1)
