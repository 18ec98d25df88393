"""Crops, scans, helpers and disks that fail."""

from __future__ import annotations

from tests.support.rule_cases.case import (
    CRITICAL,
    GIB,
    LONG_AGO,
    WARNING,
    Case,
    failures,
    metric,
    running,
)

SCORED = metric("monitor_crops_scored_total")

GARBAGE = {SCORED: "0x60", **failures("truncated", "0x5 0+10x60")}

SCANS = metric("monitor_scans_total", folder="inbox", outcome="failed")

SCANNED = metric("monitor_scans_total", folder="inbox", outcome="done")

LAST_LABELLED = metric("monitor_last_scan_timestamp_seconds", folder="labelled")

LAST_SCAN = metric("monitor_last_scan_timestamp_seconds", folder="inbox")

FAILURES = [
    Case("MonitorFilesFailing", "garbage alone", {**running(), **GARBAGE}, "20m", (WARNING,)),
    Case(
        "MonitorFilesFailing",
        "of several kinds at once, counted from 1 on",
        {**running(), SCORED: "0+1x60", **failures("empty", "_x20 3x60"), **failures("truncated", "_x20 4x60")},
        "28m",
        (WARNING,),
    ),
    Case(
        "MonitorFilesFailing",
        "one file and no traffic",
        {**running(), SCORED: "0x60", **failures("empty", "_x8 1x60")},
        "21m",
    ),
    Case(
        "MonitorFilesFailing",
        "one in a hundred",
        {**running(), SCORED: "0+990x60", **failures("empty", "0+10x60")},
        "20m",
    ),
    Case(
        "MonitorFilesFailing",
        "old failures, and a new Prometheus",
        {**running(), SCORED: "0x60", **failures("empty", "500x60")},
        "12m",
    ),
    Case(
        "MonitorFilesFailing",
        "old failures, and a restart",
        {
            metric("up"): "1x60",
            metric("process_start_time_seconds"): f"{LONG_AGO}x20 1260x60",
            SCORED: "0x60",
            **failures("empty", "500x20 0x60"),
        },
        "27m",
    ),
    Case(
        "MonitorFilesDamaged",
        "a single one",
        {**running(), SCORED: "0+1000x60", **failures("damaged", "_x20 1x60")},
        "25m",
        ({"reason": "damaged", **WARNING},),
    ),
    Case("MonitorFilesDamaged", "over", {**running(), **failures("damaged", "_x20 1x60")}, "45m"),
    Case("MonitorFilesDamaged", "incomplete ones", {**running(), **failures("truncated", "_x20 9x60")}, "25m"),
    Case(
        "MonitorDetectorErrors",
        "the first ever",
        {**running(), **failures("detector_error", "_x20 1x60")},
        "25m",
        ({"reason": "detector_error", **CRITICAL},),
    ),
    Case(
        "MonitorDetectorErrors",
        "the first after a restart",
        {
            metric("up"): "1x5 0x13 1x60",
            metric("process_start_time_seconds"): "_x19 1140x60",
            **failures("detector_error", "1x5 _x15 1x60"),
        },
        "22m",
        ({"reason": "detector_error", **CRITICAL},),
    ),
    Case("MonitorDetectorErrors", "over", {**running(), **failures("detector_error", "_x20 1x60")}, "45m"),
    Case("MonitorDetectorErrors", "the file's fault", {**running(), **failures("truncated", "_x20 9x60")}, "25m"),
    Case(
        "MonitorCommitsFailing",
        "again and again",
        {metric("monitor_store_failures_total"): "0x5 0+1x60"},
        "20m",
        (CRITICAL,),
    ),
    Case("MonitorCommitsFailing", "a minute", {metric("monitor_store_failures_total"): "0x5 0+1x4 4x60"}, "9m"),
    Case("MonitorCommitsFailing", "locked for a moment", {metric("monitor_store_failures_total"): "0x5 2x60"}, "10m"),
    Case(
        "MonitorScansFailing",
        "again and again",
        {**running(), SCANS: "0x5 0+1x60"},
        "20m",
        ({"folder": "inbox", **WARNING},),
    ),
    Case("MonitorScansFailing", "they are done", {**running(), SCANNED: "0+1x60"}, "20m"),
    Case(
        "MonitorScansFailing",
        "before a restart, and now it is down",
        {
            metric("up"): "1x12 0x60",
            metric("process_start_time_seconds"): f"{LONG_AGO}x7 480x3 stale",
            SCANS: "0x1 4+4x4 20x1 0x3 stale",
        },
        "19m",
    ),
    Case("MonitorScansFailing", "once", {**running(), SCANS: "0x5 1x60"}, "20m"),
    Case(
        "MonitorNoScan",
        "it hangs",
        {**running(), LAST_SCAN: "0+60x10 600x60"},
        "32m",
        ({"folder": "inbox", **CRITICAL},),
    ),
    Case("MonitorNoScan", "never since the start", running(since=0), "21m", (CRITICAL,)),
    Case("MonitorNoScan", "just started", running(since=0), "18m"),
    Case("MonitorNoScan", "of the labelled folder", {**running(), LAST_SCAN: "0+60x60", LAST_LABELLED: "0x60"}, "32m"),
    Case("MonitorNoScan", "as it should", {**running(), LAST_SCAN: "0+60x60"}, "32m"),
]

EVENTS = metric("monitor_file_events", folder="inbox")

DELETION = metric("monitor_deletion_stopped", task="tidying")

HELPERS = [
    Case(
        "MonitorNoFileEvents",
        "no inotify instance is free",
        {**running(), EVENTS: "0x60"},
        "20m",
        ({"folder": "inbox", **WARNING},),
    ),
    Case("MonitorNoFileEvents", "only while the folder was replaced", {**running(), EVENTS: "1x9 0x2 1x60"}, "20m"),
    Case(
        "MonitorDeletionStopped",
        "the log of the database is gone",
        {**running(), DELETION: "0x5 1x60"},
        "15m",
        ({"task": "tidying", **CRITICAL},),
    ),
    Case("MonitorDeletionStopped", "all is well", {**running(), DELETION: "0x60"}, "15m"),
]

STATE = metric("monitor_disk_free_bytes", folder="state")

DISKS = [
    Case(
        "MonitorDiskFilling",
        "100 GiB in a day",
        {STATE: f"{100 * GIB}-{2.4 * GIB:.0f}x200"},
        "6h",
        ({"folder": "state", **WARNING},),
        "30m",
    ),
    Case("MonitorDiskFilling", "slowly", {STATE: f"{100 * GIB}-{0.06 * GIB:.0f}x200"}, "6h", interval="30m"),
    Case(
        "MonitorDiskFilling",
        "a burst that is over",
        {STATE: f"{100 * GIB} {70 * GIB} {40 * GIB}x200"},
        "5h",
        interval="30m",
    ),
    Case("MonitorDiskFilling", "nothing changes", {STATE: f"{5 * GIB}x200"}, "6h", interval="30m"),
    Case("MonitorDiskFull", "half a GiB left", {STATE: f"{GIB // 2}x60"}, "10m", ({"folder": "state", **CRITICAL},)),
    Case("MonitorDiskFull", "enough", {STATE: f"{5 * GIB}x60"}, "10m"),
]
