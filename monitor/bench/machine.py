"""The machine that figures were measured on, and how fast it is at the moment."""

from __future__ import annotations

import os
import platform
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SIDE: Final = 1024
YARDSTICK_SECONDS: Final = 0.1
# How much faster all threads are than one, at least, if the cores are free.
LEAST_GAIN: Final = 1.3


def cores() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0))


def facts() -> dict[str, Any]:
    """The machine, and the libraries that do the arithmetic."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": _version("torch"),
        "onnxruntime": _version("onnxruntime"),
    }


def was_busy(yardsticks: Iterable[Mapping[str, float]]) -> bool:
    """Whether all threads together were hardly faster than one at any of the times."""
    return cores() > 1 and any(one["all_threads_gflops"] < LEAST_GAIN * one["one_thread_gflops"] for one in yardsticks)


def yardstick() -> dict[str, float]:
    """Products of float32 matrices in 10^9 operations a second: in one thread, and in one for each core."""
    with threads(1):
        one = _gflops()
    with threads(cores()):
        return {"one_thread_gflops": one, "all_threads_gflops": _gflops()}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch and numpy compute in this many threads."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def _gflops() -> float:
    import torch

    one = torch.rand(SIDE, SIDE)
    result = one @ one  # memory is allocated and threads are started before the clock starts
    products = 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < YARDSTICK_SECONDS:
        torch.mm(one, one, out=result)
        products += 1
    return round(2 * SIDE**3 * products / passed / 1e9, 1)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
