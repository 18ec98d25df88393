"""Runs on a schedule, and training from labels."""

from __future__ import annotations

from tests.support.rule_cases.case import (
    AE,
    CRITICAL,
    NIGHTLY,
    RETENTION,
    RETRAIN,
    WARNING,
    Case,
    metric,
    running,
)

RUNS = [
    Case("MonitorRunOverdue", "not done", {NIGHTLY: "0x100"}, "28h", ({"task": "nightly", **WARNING},), "30m"),
    Case(
        "MonitorRunOverdue",
        "tidying alone fails",
        {NIGHTLY: "0x47 86400x60", RETENTION: "0x100"},
        "28h",
        ({"task": "retention", **WARNING},),
        "30m",
    ),
    Case(
        "MonitorRunOverdue",
        "a slow run in the night that clocks are put back",
        {NIGHTLY: "0x53 97200x60"},
        "26h30m",
        (),
        "30m",
    ),
    Case("MonitorRunOverdue", "caught up after a downtime", {NIGHTLY: "0x2 _x70 131400x60"}, "37h", (), "30m"),
    Case(
        "MonitorCalibrationOverdue",
        "for two days",
        {NIGHTLY: "0x200"},
        "50h",
        ({"task": "nightly", **CRITICAL},),
        "30m",
    ),
    Case("MonitorCalibrationOverdue", "for one day", {NIGHTLY: "0x200"}, "36h", interval="30m"),
    Case(
        "MonitorCalibrationOverdue", "tidying alone", {NIGHTLY: "0x96 172800x90", RETENTION: "0x200"}, "51h", (), "30m"
    ),
]

LEARNING = [
    Case("MonitorRetrainingFailed", "not done", {RETRAIN: "0x100"}, "28h", ({"task": "retrain", **WARNING},), "30m"),
    Case("MonitorRetrainingFailed", "done every night", {RETRAIN: "0x47 86400x60"}, "47h", (), "30m"),
    Case("MonitorRetrainingFailed", "thresholds alone fail", {NIGHTLY: "0x100"}, "28h", (), "30m"),
    Case(
        "MonitorRetrainingRefused",
        "the first training since the start",
        {
            **running(200),
            metric("monitor_retrainings_total", **AE, outcome="refused", reason="misses_proliv"): "_x60 1x100",
        },
        "31h",
        ({**AE, **WARNING},),
        "30m",
    ),
    Case(
        "MonitorRetrainingRefused",
        "on trial, and refused long ago",
        {
            **running(200),
            metric("monitor_retrainings_total", **AE, outcome="shadow", reason=""): "_x160 1x40",
            metric("monitor_retrainings_total", **AE, outcome="refused", reason="worse_tpr"): "1x200",
        },
        "95h",
        (),
        "30m",
    ),
]
