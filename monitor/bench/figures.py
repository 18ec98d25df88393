"""Turns rounds of measurements into the figures that are reported: medians, ratios, and the spread of the rounds.

A ratio is formed within each round, whose parts were measured one right after the other, and the median of the ratios
is reported: in the next round the machine may run at a different clock rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.bench.daemon import Carried
    from monitor.bench.scoring import Scored
    from monitor.bench.stages import Cost

# Significant digits of a reported figure, which is more than any of them is worth.
DIGITS: Final = 4


@dataclass(frozen=True)
class Stages:
    """The stages of one round, each alone, in one thread and with its best batch size."""

    read: Cost
    decode: Cost
    detect: Cost
    commit: Cost

    def limit(self, cores: int) -> float:
        """Crops a second if all cores did nothing but these stages: cores / the sum of their processor times."""
        return cores * 1e6 / sum(self.costs().values())

    def costs(self) -> dict[str, float]:
        """Microseconds of a processor for a crop, by stage."""
        named = {"read": self.read, "decode": self.decode, "detect": self.detect, "commit": self.commit}
        return {name: cost.cpu_us for name, cost in named.items()}


@dataclass(frozen=True)
class Round:
    """What one round measured of one detector."""

    stages: Stages
    scored: Scored
    reference: float
    carried: Carried

    def figures(self, cores: int) -> dict[str, float | None]:
        """Every figure of the round by its name; None if it could not be measured."""
        speed, limit, daemon = self.scored.crops_per_second, self.stages.limit(cores), self.carried.crops_per_second
        return {
            "crops_per_second": speed,
            "us_per_crop": 1e6 / speed,
            "cpu_us_per_crop": self.scored.cpu_us,
            "command_seconds": self.scored.command_seconds,
            "peak_memory_mb": self.scored.peak_mb,
            "limit_crops_per_second": limit,
            "limit_ratio": speed / limit,
            "reference_crops_per_second": self.reference,
            "reference_ratio": speed / self.reference,
            "daemon_crops_per_second": daemon,
            "daemon_ratio": None if daemon is None else daemon / speed,
            "daemon_peak_memory_mb": self.carried.peak_mb,
        }


def of_rounds(rounds: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """The medians of figures by their names, and in ``spread`` the lowest and the highest of several rounds."""
    found: dict[str, Any] = {}
    spread: dict[str, list[float]] = {}
    for name in rounds[0]:
        values = [value for one in rounds if (value := one[name]) is not None]
        found[name] = rounded(median(values)) if values else None
        if len(values) > 1:
            spread[name] = [rounded(min(values)), rounded(max(values))]
    return {**found, "spread": spread}


def of_detector(rounds: Sequence[Round], cores: int) -> dict[str, Any]:
    """What is reported of one detector."""
    latencies = [one for each in rounds for one in each.carried.latencies_ms]
    stages = [one.stages.costs() for one in rounds]
    return {
        **of_rounds([one.figures(cores) for one in rounds]),
        "latency_p50_ms": rounded(percentile(latencies, 50)),
        "latency_p99_ms": rounded(percentile(latencies, 99)),
        "latency_max_ms": rounded(max(latencies)),
        "latency_crops": len(latencies),
        "stages_us": {name: rounded(median(one[name] for one in stages)) for name in stages[0]},
    }


def of_stages(rounds: Sequence[Stages], committed: Mapping[int, Cost]) -> dict[str, Any]:
    """What is reported of the stages that all detectors share; ``committed``: commits by batch size."""
    costs = [one.costs() for one in rounds]
    return {
        **{f"{name}_us": rounded(median(one[name] for one in costs)) for name in ("read", "decode", "commit")},
        "commit_us_by_batch": {str(size): rounded(cost.cpu_us) for size, cost in committed.items()},
    }


def of_together(speeds: Sequence[tuple[float, Sequence[float]]]) -> dict[str, Any]:
    """Detectors deciding together compared with each alone, from (crops/s together, crops/s of each alone) by round.

    ``time_ratio``: the time that a crop takes together, divided by the sum of the times alone; ``first_ratio``: by that
    of the first alone.
    """
    rounds = [
        {
            "crops_per_second": together,
            "time_ratio": (1 / together) / sum(1 / one for one in alone),
            "first_ratio": alone[0] / together,
        }
        for together, alone in speeds
    ]
    return of_rounds(rounds)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least this percentage of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, int(rank) - 1)]


def rounded(value: float) -> float:
    """A figure with the digits that are reported."""
    return float(f"{value:.{DIGITS}g}")
