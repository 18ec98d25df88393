"""Whether crops come, and whether they are decided in time."""

from __future__ import annotations

from tests.support.rule_cases.case import (
    CRITICAL,
    LONG_AGO,
    WARNING,
    Case,
    last_crop,
    latency,
    metric,
    running,
)

STEADY, STOPPED = "0+60x200", "0+60x10 600x190"

# A pause of an hour from the 10th minute on; the second hole's crops begin three minutes after the first's.
PAUSED, PAUSED_LONGER = "0+60x10 600x59 4260+60x100", "0+60x10 600x62 4440+60x100"

RESTARTED = {
    metric("up"): "1x5 0x23 1x100",
    metric("process_start_time_seconds"): f"{LONG_AGO}x5 _x24 1800x100",
    **last_crop("1", "0+60x5 _x24 1800+60x100"),
    **last_crop("2", "0+60x5 _x24 300x20 3060+60x100"),
    **last_crop("1", "0+60x5 _x24 300x20 3060+60x100", camera="D"),
}

BOTH_PAUSE = {**running(), **last_crop("1", PAUSED), **last_crop("2", PAUSED_LONGER)}

INTERVALS = {"camera": "C", "state": "expected"}, {"camera": "C", "state": "missing"}


def intervals(expected: int, missing: int) -> dict[str, str]:
    counts = zip(INTERVALS, (expected, missing), strict=True)
    return {metric("monitor_intervals", **labels): f"{count}x60" for labels, count in counts}


def missing(hole: str, count: int) -> dict[str, str]:
    """Missing intervals of one of 40 expected holes."""
    return {
        metric("monitor_hole_missing_intervals", camera="C", hole=hole): f"{count}x60",
        metric("monitor_expected_holes", camera="C"): "40x60",
    }


SUPPLY = [
    Case(
        "MonitorHoleSilent",
        "one hole stops",
        {**running(), **last_crop("1", STEADY), **last_crop("2", STOPPED)},
        "40m",
        ({"camera": "C", "hole": "2", **WARNING},),
    ),
    Case(
        "MonitorHoleSilent",
        "just stopped",
        {**running(), **last_crop("1", STEADY), **last_crop("2", STOPPED)},
        "24m",
    ),
    Case("MonitorHoleSilent", "the pause between two casts", BOTH_PAUSE, "40m"),
    Case("MonitorHoleSilent", "the first minutes after the pause", BOTH_PAUSE, "73m"),
    Case("MonitorHoleSilent", "worked off last after a restart", RESTARTED, "44m"),
    Case(
        "MonitorHoleSilent",
        "out of use for more than a week, or without a name",
        {**running(), **last_crop("1", STEADY), **last_crop("2", "-700000x200"), **last_crop("other", STOPPED)},
        "40m",
    ),
    Case(
        "MonitorCameraSilent",
        "one of two cameras stops",
        {**running(), **last_crop("1", STEADY), **last_crop("1", STOPPED, camera="D")},
        "40m",
        ({"camera": "D", **WARNING},),
    ),
    Case(
        "MonitorCameraSilent",
        "both pause",
        {**running(), **last_crop("1", PAUSED), **last_crop("1", PAUSED_LONGER, camera="D")},
        "40m",
    ),
    Case(
        "MonitorCameraSilent",
        "the second comes back later",
        {**running(), **last_crop("1", PAUSED), **last_crop("1", PAUSED_LONGER, camera="D")},
        "73m",
    ),
    Case(
        "MonitorCameraSilent",
        "out of use for more than a week",
        {**running(), **last_crop("1", STEADY), **last_crop("1", "-700000x200", camera="D")},
        "40m",
    ),
    Case(
        "MonitorCameraSilent",
        "a stray file whose name tells no camera, and a made-up one beyond metrics.holes",
        {
            **running(),
            **last_crop("1", STEADY),
            **last_crop("unknown", STOPPED, camera="unknown"),
            **last_crop("other", STOPPED, camera="other"),
        },
        "40m",
    ),
    Case("MonitorCameraSilent", "worked off last after a restart", RESTARTED, "44m"),
    Case("MonitorNoCrops", "none for more than two hours", last_crop("1", STOPPED), "135m", (WARNING,)),
    Case("MonitorNoCrops", "a pause", last_crop("1", STOPPED), "120m"),
    Case("MonitorNoCrops", "never any", running(), "135m"),
    Case(
        "MonitorNoCrops",
        "they wait after a downtime",
        {**last_crop("1", STOPPED), metric("monitor_backlog_crops"): "5x200"},
        "135m",
    ),
    Case("MonitorIntervalsMissing", "a tenth", intervals(100, 10), "15m", ({"camera": "C", **WARNING},)),
    Case("MonitorIntervalsMissing", "a few", intervals(100, 3), "15m"),
    Case("MonitorIntervalsMissing", "nothing is expected", intervals(0, 0), "15m"),
    Case(
        "MonitorHoleIntervalsMissing",
        "one hole of 40 misses half of its 100",
        {**intervals(4000, 60), **missing("17", 50), **missing("18", 10), **missing("other", 90)},
        "15m",
        ({"camera": "C", "hole": "17", **WARNING},),
    ),
    Case("MonitorHoleIntervalsMissing", "all miss half", {**intervals(4000, 2000), **missing("17", 50)}, "15m"),
    Case("MonitorHoleIntervalsMissing", "nothing is expected", {**intervals(0, 0), **missing("17", 0)}, "15m"),
]

SPEED = [
    Case("MonitorBacklogOld", "it waits", {metric("monitor_backlog_oldest_seconds"): "0x5 400x20"}, "15m", (CRITICAL,)),
    Case(
        "MonitorBacklogOld",
        "worked off after a restart",
        {metric("monitor_backlog_oldest_seconds"): "9000x3 0x20"},
        "9m",
    ),
    Case("MonitorBacklogGrowing", "it grows", {metric("monitor_backlog_crops"): "0+100x60"}, "30m", (WARNING,)),
    Case("MonitorBacklogGrowing", "worked off", {metric("monitor_backlog_crops"): "10000-100x60"}, "30m"),
    Case("MonitorBacklogGrowing", "a batch more or less", {metric("monitor_backlog_crops"): "0+2x60"}, "30m"),
    Case(
        "MonitorLatencyHigh", "every second is slow", {**running(), **latency("0+50x60", "0+100x60")}, "40m", (WARNING,)
    ),
    Case("MonitorLatencyHigh", "all are quick", {**running(), **latency("0+100x60", "0+100x60")}, "40m"),
    Case("MonitorLatencyHigh", "no traffic", {**running(), **latency("0x60", "100x60")}, "40m"),
    Case("MonitorLatencyHigh", "two slow crops alone", {**running(), **latency("0x60", "0x20 2x40")}, "28m"),
    Case(
        "MonitorLatencyHigh",
        "crops that waited for a restart",
        {**running(since=600), **latency("_x10 0x60", "_x10 0 5000x60")},
        "22m",
    ),
]
