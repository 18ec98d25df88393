"""What the alerts are tried on: made-up series, and the alerts that must then fire, by promtool.

Time begins at 0 and series have a value each ``interval``, in promtool's words: ``0+60x90`` is 0, 60, 120 …, 91 values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TARGET = 'job="monitor", instance="m:9464"'
LONG_AGO = -1_000_000


@dataclass(frozen=True)
class Case:
    """``fires``: the labels of the alerts that must fire ``at`` that time, beside those of every alert."""

    alert: str
    what: str
    series: dict[str, str]
    at: str
    fires: tuple[dict[str, str], ...] = ()
    interval: str = "1m"

    def as_test(self, *, holds: bool) -> dict[str, Any]:
        """As promtool reads it; an alert that ``holds`` its condition for a time must have been pending before."""
        common = {"alertname": self.alert, "alertstate": "firing", "job": "monitor", "instance": "m:9464"}
        samples = [
            {"labels": "ALERTS{" + ", ".join(f'{k}="{v}"' for k, v in {**common, **one}.items()) + "}", "value": 1}
            for one in self.fires
        ]
        query = {
            "expr": f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}',
            "eval_time": self.at,
            "exp_samples": samples,
        }
        # What fires at once after a moment's trouble would wake people for nothing.
        waited = {
            "expr": f'count(count_over_time(ALERTS{{alertname="{self.alert}", alertstate="pending"}}[10d]))',
            "eval_time": self.at,
            "exp_samples": [{"labels": "{}", "value": len(self.fires)}],
        }
        return {
            "name": f"{self.alert}: {self.what}",
            "interval": self.interval,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [query, waited] if self.fires and holds else [query],
        }


def metric(name: str, **labels: str) -> str:
    more = "".join(f', {key}="{value}"' for key, value in labels.items())
    return f"{name}{{{TARGET}{more}}}"


def running(minutes: int = 600, since: float = LONG_AGO) -> dict[str, str]:
    """A daemon that is scraped and was started ``since``."""
    return {metric("up"): f"1x{minutes}", metric("process_start_time_seconds"): f"{since}x{minutes}"}


def last_crop(hole: str, values: str, camera: str = "C") -> dict[str, str]:
    return {metric("monitor_hole_last_crop_timestamp_seconds", camera=camera, hole=hole): values}


def failures(reason: str, values: str) -> dict[str, str]:
    return {metric("monitor_crops_failed_total", reason=reason): values}


WARNING, CRITICAL, INFO = {"severity": "warning"}, {"severity": "critical"}, {"severity": "info"}
DAY = 24 * 60
NIGHTLY = metric("monitor_run_last_success_timestamp_seconds", task="nightly")
RETRAIN = metric("monitor_run_last_success_timestamp_seconds", task="retrain")
RETENTION = metric("monitor_run_last_success_timestamp_seconds", task="retention")
OLDEST_ALARM = metric("monitor_alarms_oldest_open_seconds")
BUCKET = "monitor_decision_latency_seconds_bucket"
REFUSED = metric("monitor_calibrations_total", detector="ae", outcome="refused", reason="large_jump")
UNCHANGED = metric("monitor_calibrations_total", detector="ae", outcome="unchanged", reason="")
CHOSEN = metric("monitor_threshold_timestamp_seconds", detector="ae")
GIB = 2**30


def rate(name: str, value: float, window: str = "30d", detector: str = "decision") -> dict[str, str]:
    return {metric(name, detector=detector, window=window): f"{value}x600"}


def drift(hole: str, detected: str, shift: float = 3.2, camera: str = "C") -> dict[str, str]:
    labels = {"detector": "ae", "camera": camera, "hole": hole}
    return {
        metric("monitor_drift_shift_sigmas", **labels): f"{shift}x600",
        metric("monitor_drift_detected", **labels): detected,
    }


def latency(quick: str, crops: str) -> dict[str, str]:
    """``quick``: how many were decided within a second; the others of the crops took up to a minute."""
    return {
        metric(BUCKET, le="1"): quick,
        metric(BUCKET, le="60"): crops,
        metric(BUCKET, le="+Inf"): crops,
        metric("monitor_crops_scored_total"): crops,
    }


SERVICE = [
    Case("MonitorDown", "it stopped", {metric("up"): "1x5 0x20"}, "10m", (CRITICAL,)),
    Case("MonitorDown", "one scrape failed", {metric("up"): "1x5 0 1x20"}, "6m"),
    Case(
        "MonitorRestartsOften",
        "four restarts",
        {metric("process_start_time_seconds"): "0x10 600x10 1200x10 1800x10 2400x10"},
        "48m",
        (WARNING,),
    ),
    Case("MonitorAlarmUnacknowledged", "for longer than the bound", {OLDEST_ALARM: "0+60x30"}, "16m", (CRITICAL,)),
    Case("MonitorAlarmUnacknowledged", "acknowledged in time", {OLDEST_ALARM: "0+60x14 0x20"}, "30m"),
    Case(
        "MonitorAlarmsNotDelivered",
        "to one of two sinks",
        {
            metric("monitor_alarm_messages_oldest_due_seconds", sink="siren"): "0+60x30",
            metric("monitor_alarm_messages_oldest_due_seconds", sink="office"): "0 60 0x30",
        },
        "4m",
        ({**CRITICAL, "sink": "siren"},),
    ),
    Case(
        "MonitorAlarmsNotDelivered",
        "tried a few times",
        {metric("monitor_alarm_messages_oldest_due_seconds", sink="siren"): "0 60 120 0x30"},
        "5m",
    ),
    Case(
        "MonitorHeartbeatNotTaken",
        "by one of two sinks",
        {
            metric("monitor_alarm_heartbeat_interval_seconds", sink="siren"): "60x30",
            metric("monitor_alarm_heartbeat_interval_seconds", sink="office"): "60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="siren"): "0 60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="office"): "0+60x30",
        },
        "5m",
        ({**CRITICAL, "sink": "siren"},),
    ),
    Case(
        "MonitorHeartbeatNotTaken",
        "two of them missed, or seldom wanted",
        {
            metric("monitor_alarm_heartbeat_interval_seconds", sink="siren"): "60x30",
            metric("monitor_alarm_heartbeat_interval_seconds", sink="office"): "3600x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="siren"): "0 60x2 240+60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="office"): "0x30",
        },
        "4m",
    ),
    Case("MonitorCastInDoubt", "for minutes", {metric("monitor_cast_in_doubt"): "0x2 1x10"}, "6m", (WARNING,)),
    Case("MonitorCastInDoubt", "in order again", {metric("monitor_cast_in_doubt"): "0x2 1x3 0x10"}, "9m"),
    Case("MonitorRestartsOften", "one restart", {metric("process_start_time_seconds"): "0x10 600x40"}, "48m"),
]

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

AE = {"detector": "ae"}
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

CASES = [
    *SERVICE,
    *SUPPLY,
    *SPEED,
    *QUALITY,
    *UNUSUAL_CROPS,
    *THRESHOLDS,
    *RUNS,
    *LEARNING,
    *DRIFT,
    *FAILURES,
    *HELPERS,
    *DISKS,
]
