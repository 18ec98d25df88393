"""Rates, unusual crops, drift and thresholds."""

from __future__ import annotations

from tests.support.rule_cases.case import (
    AE,
    CHOSEN,
    CRITICAL,
    INFO,
    REFUSED,
    UNCHANGED,
    WARNING,
    Case,
    drift,
    metric,
    rate,
    running,
)

QUALITY = [
    case
    for title, name in (("Tpr", "monitor_tpr"), ("Tnr", "monitor_tnr"))
    for case in (
        Case(
            f"Monitor{title}NotShown",
            "the lower end is below",
            rate(f"{name}_low", 0.8),
            "70m",
            ({"detector": "decision", "window": "30d", **WARNING},),
        ),
        Case(f"Monitor{title}NotShown", "above", rate(f"{name}_low", 0.95), "70m"),
        Case(f"Monitor{title}NotShown", "a day alone has few labels", rate(f"{name}_low", 0.2, "1d"), "70m"),
        Case(f"Monitor{title}NotShown", "one of several detectors", rate(f"{name}_low", 0.2, detector="ae"), "70m"),
        Case(f"Monitor{title}NotShown", "no labels", running(), "70m"),
        Case(
            f"Monitor{title}UnderTarget",
            "the upper end is below",
            rate(f"{name}_high", 0.85, "7d"),
            "40m",
            ({"detector": "decision", "window": "7d", **CRITICAL},),
        ),
        Case(f"Monitor{title}UnderTarget", "above", rate(f"{name}_high", 0.95), "40m"),
        Case(f"Monitor{title}UnderTarget", "one of several detectors", rate(f"{name}_high", 0.2, detector="ae"), "40m"),
        Case(f"Monitor{title}UnderTarget", "no labels", running(), "40m"),
    )
]


NIGHTS = "_x2 1x47 2x47 3x47 4x47"

THRESHOLDS = [
    Case(
        "MonitorCalibrationRefused",
        "four nights",
        {CHOSEN: "-100000x200", REFUSED: NIGHTS},
        "3d",
        ({**AE, **WARNING},),
        "30m",
    ),
    Case(
        "MonitorCalibrationRefused",
        "one night kept the threshold",
        {CHOSEN: "-100000x200", REFUSED: NIGHTS, UNCHANGED: "_x60 1x200"},
        "3d",
        interval="30m",
    ),
    Case(
        "MonitorCalibrationRefused",
        "chosen since",
        {CHOSEN: "-100000x95 172800x100", REFUSED: NIGHTS},
        "3d",
        interval="30m",
    ),
    Case(
        "MonitorCalibrationRefused",
        "refused long ago",
        {CHOSEN: "-100000x200", REFUSED: "3x200"},
        "3d",
        interval="30m",
    ),
    Case(
        "MonitorCalibrationRefused",
        "the daemon restarted, and nothing was refused since",
        {CHOSEN: "-100000x200", REFUSED: "3x100 0x200"},
        "3d",
        interval="30m",
    ),
    Case(
        "MonitorThresholdFallback",
        "no proliv",
        {metric("monitor_threshold_fallback", **AE): "1x100"},
        "65m",
        ({**AE, **INFO},),
    ),
    Case("MonitorThresholdFallback", "enough", {metric("monitor_threshold_fallback", **AE): "0x100"}, "65m"),
]

STILL = drift("all", "0x600", camera="*")

DRIFT = [
    Case(
        "MonitorDrift",
        "all",
        drift("all", "1x600", camera="*"),
        "15m",
        ({**AE, "camera": "*", "hole": "all", **WARNING},),
    ),
    Case("MonitorDrift", "none", STILL, "15m"),
    Case("MonitorDrift", "one hole alone", {**STILL, **drift("17", "1x600")}, "15m"),
    Case(
        "MonitorHoleDrift",
        "one hole alone",
        {**STILL, **drift("17", "1x600"), **drift("18", "0x600")},
        "15m",
        ({**AE, "camera": "C", "hole": "17", **WARNING},),
    ),
    Case("MonitorHoleDrift", "with all others", {**drift("all", "1x600", camera="*"), **drift("17", "1x600")}, "15m"),
    Case("MonitorHoleDrift", "for a moment", {**STILL, **drift("17", "1x3 0x60")}, "12m"),
]

PASSED, UNUSUAL = metric("monitor_verdicts_total", verdict="ne_proliv"), metric("monitor_unusual_crops_total")


def unusual(before: float, last: float, *, hours: int = 48, since: int = 0) -> dict[str, str]:
    """600 crops an hour, and unusual ones an hour: ``before`` for so many hours, then ``last``.

    They were counted only after the first ``since`` hours, which come on top.
    """
    absent = f"_x{6 * since - 1} " if since else ""
    reached = round(before / 6 * 6 * hours)
    values = f"{absent}0+{before / 6}x{6 * hours - 1} {reached}+{last / 6}x12"
    return {PASSED: f"0+100x{6 * (hours + since) + 12}", UNUSUAL: values}


UNUSUAL_CROPS = [
    Case("MonitorUnusualRising", "from 1 to 10 %", unusual(6, 60), "49h", (WARNING,), "10m"),
    Case("MonitorUnusualRising", "there was none before", unusual(0, 18), "49h", (WARNING,), "10m"),
    Case("MonitorUnusualRising", "twice as many", unusual(12, 24), "49h", interval="10m"),
    Case("MonitorUnusualRising", "the same share as ever", unusual(60, 60), "49h", interval="10m"),
    Case(
        "MonitorUnusualRising",
        "a single crop, where there was none before",
        {**unusual(0, 0), UNUSUAL: "0x288 1x12"},
        "49h",
        interval="10m",
    ),
    Case("MonitorUnusualRising", "too few to tell", unusual(0, 6), "49h", interval="10m"),
    Case("MonitorUnusualRising", "on the first day", unusual(0, 60, hours=20), "21h", interval="10m"),
    # An older program counted verdicts, but not what was unusual.
    Case("MonitorUnusualRising", "two days after an upgrade", unusual(60, 60, since=96), "145h", interval="10m"),
]
