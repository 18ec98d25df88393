"""Measures `monitor score` from end to end, as a person would run it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import MonitorError
from monitor.harness import children

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.harness.homes import Home


@dataclass(frozen=True)
class Scored:
    """One run of `monitor score`.

    ``crops_per_second``: as its last line says, so without the seconds in which Python, libraries and models are
    loaded; ``command_seconds`` has them. ``cpu_us``: processor time of all its processes for a crop, all included.
    ``peak_mb``: of all its processes together, in 10^6 bytes.
    """

    crops_per_second: float
    command_seconds: float
    cpu_us: float
    peak_mb: float


def score(home: Home, folder: Path, crops: int) -> Scored:
    """Score a folder of ``crops`` crops with a fresh store; the results go nowhere."""
    home.renew()
    ended = children.run(
        ["-m", "monitor", "--config", str(home.file), "score", str(folder), "--format", "csv"], home.messages
    )
    said = re.findall(r"^(\d+) crops: .* (\d+) decisions made now, .* (\d+) crops/s$", ended.messages, re.MULTILINE)
    if not said or [int(number) for number in said[-1][:2]] != [crops, crops]:
        raise MonitorError(
            f"{sys.executable} -m monitor score: did not decide on all {crops} crops; it said:\n{ended.messages}"
        )
    return Scored(float(said[-1][2]), ended.wall_seconds, 1e6 * ended.cpu_seconds / crops, ended.peak_bytes / 1e6)
