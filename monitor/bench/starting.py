"""Measures how long `monitor --help` takes, compared with a Python that does nothing."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from monitor.bench.figures import rounded
from monitor.harness import children

if TYPE_CHECKING:
    from pathlib import Path

STARTS: Final = 7


def starting(folder: Path) -> dict[str, Any]:
    """Seconds of the clock: medians of seven starts, the two commands alternating."""
    commands = {"help_seconds": ["-m", "monitor", "--help"], "python_seconds": ["-c", "pass"]}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, arguments in commands.items():
            ended = children.run(arguments, folder / "messages.log", watch_memory=False)
            seconds[name].append(ended.wall_seconds)
    medians = {name: median(values) for name, values in seconds.items()}
    more = medians["help_seconds"] - medians["python_seconds"]
    return {name: rounded(value) for name, value in {**medians, "more_seconds": more}.items()}
