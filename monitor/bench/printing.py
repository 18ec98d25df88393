"""Prints the figures of a benchmark as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROWS: Final = (
    ("score, crops/s", "crops_per_second"),
    ("score, us a crop", "us_per_crop"),
    ("  of the processors, all included", "cpu_us_per_crop"),
    ("  peak memory, MB", "peak_memory_mb"),
    ("limit, crops/s", "limit_crops_per_second"),
    ("  score / limit", "limit_ratio"),
    ("published way, crops/s", "reference_crops_per_second"),
    ("  score / published way", "reference_ratio"),
    ("daemon at saturation, crops/s", "daemon_crops_per_second"),
    ("  daemon / score", "daemon_ratio"),
    ("  peak memory, MB", "daemon_peak_memory_mb"),
    ("daemon at 100 crops/s, ms: p50", "latency_p50_ms"),
    ("  p99", "latency_p99_ms"),
    ("  longest", "latency_max_ms"),
)
STAGES: Final = ("read", "decode", "detect", "commit")


def tables(figures: Mapping[str, Any]) -> str:
    """Everything that was measured, in lines of at most 120 characters as long as there are few detectors."""
    return "\n".join([*_machine(figures), "", *_detectors(figures), "", *_batches(figures), "", *_others(figures)])


def _machine(figures: Mapping[str, Any]) -> Iterator[str]:
    machine = figures["machine"]
    yield f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}"
    libraries = ", ".join(f"{name} {machine[name]}" for name in ("python", "torch", "onnxruntime") if machine[name])
    yield f"monitor {figures['monitor']}, {libraries}"
    clock = "; ".join(
        f"{when} {one['one_thread_gflops']:g} and {one['all_threads_gflops']:g}"
        for when, one in machine["yardstick"].items()
    )
    yield f"matrix product in one thread and in all, GFLOP/s: {clock}"


def _detectors(figures: Mapping[str, Any]) -> Iterator[str]:
    detectors = figures["detectors"]
    yield _line(f"medians of {figures['settings']['rounds']} rounds", detectors)
    yield _line("crops", (one["crops"] for one in detectors.values()))
    for title, name in ROWS:
        yield _line(title, (one[name] for one in detectors.values()))
    for stage in STAGES:
        yield _line(f"alone, us of a processor: {stage}", (one["stages_us"][stage] for one in detectors.values()))


def _batches(figures: Mapping[str, Any]) -> Iterator[str]:
    """What a crop costs a detector by threads and batch size, in time on the clock."""
    detectors = figures["detectors"]
    costs = {name: one["detect_us_by_threads_and_batch"] for name, one in detectors.items()}
    cells = {(threads, size): None for by in costs.values() for threads, sizes in by.items() for size in sizes}
    yield _line("prepare and score, us a crop", detectors)
    for threads, size in cells:
        values = [by[threads].get(size) for by in costs.values()]
        yield _line(f"  threads {threads}, batch {size}", (one and one["wall"] for one in values))


def _others(figures: Mapping[str, Any]) -> Iterator[str]:
    commits = ", ".join(f"{size}: {cost:g}" for size, cost in figures["stages"]["commit_us_by_batch"].items())
    yield f"commit, us of a processor by batch size: {commits}"
    start = figures["startup"]
    yield (
        f"monitor --help: {start['help_seconds']:g} s, {start['more_seconds']:g} s more than a Python that does nothing"
    )
    for together in figures["together"]:
        names = together["detectors"]
        yield (
            f"{', '.join(names)} together: {together['crops_per_second']:g} crops/s, {together['time_ratio']:g} of the "
            f"time of each alone, {together['first_ratio']:g} of that of {names[0]} alone"
        )
    memory = figures["memory"]
    if memory:
        yield (
            f"memory of {memory['detector']} for {memory['many_crops']} files: {memory['many_mb']:g} MB, "
            f"{memory['ratio']:g} of that for {memory['few_crops']}"
        )
    for name, found in figures["others"].items():
        told = [f"{figure} {value:g}" for figure, value in (found or {}).items() if figure != "spread"]
        yield f"{name}: {', '.join(told) or 'failed'}"


def _line(title: str, cells: Sequence[str] | Iterator[float | None] | Mapping[str, Any]) -> str:
    texts = ("-" if cell is None else cell if isinstance(cell, str) else f"{cell:g}" for cell in cells)
    return f"{title:<40}" + "".join(f"{text:>12}" for text in texts)
