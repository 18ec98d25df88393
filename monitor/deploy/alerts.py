"""The alerting rules; each has a section of its name in docs/alerts.md.

What fires must be worth a look, so most rules hold their condition against a normal pause: no traffic, the pause
between two casts, the minutes after a restart, a line without labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy import recording, supplying
from monitor.deploy.rules import DAY_SECONDS, JOB, Alert, duration, increased, number, running_for

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

NIGHTLY: Final = "nightly"
RETENTION: Final = "retention"
OVERDUE_SECONDS: Final = 26 * 3600
"""Daily runs are at most 25 hours apart, in autumn."""
LARGEST_FAILED_SHARE: Final = 0.05
LEAST_FAILED: Final = 5
LEAST_DISK_BYTES: Final = 2**30
LONGEST_COMMIT_PAUSE_SECONDS: Final = 10
"""Of the daemon's writer; the service itself is not imported here."""


def rules(settings: Settings) -> list[Alert]:
    """Every alert, with the bounds of the configuration."""
    return [
        *_service(),
        *supplying.rules(settings),
        *_speed(settings),
        *_quality(settings),
        *_thresholds(settings),
        *_runs(settings),
        *_drift(),
        *_failures(settings),
        *_disks(),
    ]


def _service() -> list[Alert]:
    return [
        Alert(
            "MonitorDown",
            f'up{{job="{JOB}"}} == 0',
            120,
            "critical",
            "The daemon on {{ $labels.instance }} does not answer",
            "Prometheus has not been able to read its metrics for 2 minutes: no crop is decided on, or nobody would "
            "see it. Look with: systemctl status monitor",
        ),
        Alert(
            "MonitorRestartsOften",
            f'changes(process_start_time_seconds{{job="{JOB}"}}[1h]) > 3',
            0,
            "warning",
            "The daemon on {{ $labels.instance }} restarted {{ $value | humanize }} times within an hour",
            "Something ends it again and again. Nothing is lost, but decisions come late. Why it ended: "
            "journalctl -u monitor",
        ),
    ]


def _speed(settings: Settings) -> list[Alert]:
    bounds = settings.alerts
    batch = settings.pipeline.batch_size
    return [
        Alert(
            "MonitorBacklogOld",
            f"monitor_backlog_oldest_seconds > {number(bounds.backlog_seconds)}",
            300,
            "critical",
            "A crop on {{ $labels.instance }} has waited {{ $value | humanizeDuration }} for its decision",
            f"More than {duration(bounds.backlog_seconds)} is too late to act on. Either decisions do not go on, or "
            "more crops come than can be decided on: monitor status",
        ),
        Alert(
            "MonitorBacklogGrowing",
            f"monitor_backlog_crops\n"
            f"and min_over_time(monitor_backlog_crops[10m]) > {batch}\n"
            f"and deriv(monitor_backlog_crops[10m]) > 0",
            300,
            "warning",
            "{{ $value | humanize }} crops wait on {{ $labels.instance }}, and they become more",
            "More crops have come than were decided on for a quarter of an hour.",
        ),
        Alert(
            "MonitorLatencyHigh",
            f"{recording.LATENCY_99_LONG} > {number(bounds.latency_seconds)}\n"
            f"and {recording.DECIDED} >= 10\n"
            # Crops that lay there before the start count with the time that they truly waited.
            f"and on (job, instance) {running_for(1200)}",
            300,
            "warning",
            "Decisions on {{ $labels.instance }} take {{ $value | humanizeDuration }}",
            "So long is what 99 % of the crops of the last 15 minutes took from the complete file to the stored "
            f"decision; the bound is {duration(bounds.latency_seconds)}.",
        ),
    ]


def _quality(settings: Settings) -> list[Alert]:
    longest = f"{max(settings.quality.window_days):g}d"
    rates = (
        ("Tpr", "tpr", "TPR", "proliv are caught", settings.alerts.tpr_target),
        ("Tnr", "tnr", "TNR", "ne_proliv pass", settings.alerts.tnr_target),
    )
    return [
        alert
        for title, metric, name, meaning, target in rates
        for alert in (
            Alert(
                f"Monitor{title}NotShown",
                f'monitor_{metric}_low{{detector="decision", window="{longest}"}} < {number(target)}',
                3600,
                "warning",
                f"{name} on {{{{ $labels.instance }}}} is not shown to reach {target:.4g}",
                "Of the labelled crops of {{ $labels.window }} it may be as low as {{ $value | humanize }} "
                "(lower end of the 95 % interval). Perhaps only labels are wanting: monitor quality",
            ),
            Alert(
                f"Monitor{title}UnderTarget",
                f'monitor_{metric}_high{{detector="decision"}} < {number(target)}',
                1800,
                "critical",
                f"{name} on {{{{ $labels.instance }}}} is under {target:.4g}",
                f"Of the labelled crops of {{{{ $labels.window }}}} at best a share of {{{{ $value | humanize }}}} of "
                f"{meaning} (upper end of the 95 % interval).",
            ),
        )
    ]


def _thresholds(settings: Settings) -> list[Alert]:
    seconds = max(settings.alerts.calibration_days * DAY_SECONDS, OVERDUE_SECONDS)
    days = f"{seconds / DAY_SECONDS:.3g}"
    window = duration(seconds)

    def seen(equal: str) -> str:
        """What was refused within the window, or not: its count grew, or came into being."""
        counter = f'monitor_calibrations_total{{outcome{equal}"refused"}}'
        return (
            "max by (job, instance, detector) (\n"
            f"    increase({counter}[{window}]) > 0\n"
            "  or\n"
            f"    max_over_time({counter}[{window}]) > 0 unless {counter} offset {window}\n"
            ")"
        )

    refused = Alert(
        "MonitorCalibrationRefused",
        f"max by (job, instance, detector) (time() - monitor_threshold_timestamp_seconds) > {number(seconds)}\n"
        f"and {seen('=')}\n"
        f"unless {seen('!=')}",
        3600,
        "warning",
        "New thresholds of {{ $labels.detector }} on {{ $labels.instance }} are refused",
        f"The guard has accepted none for {days} days; the one that counts is {{{{ $value | humanizeDuration }}}} "
        "old. Why: monitor threshold show",
    )
    fallback = Alert(
        "MonitorThresholdFallback",
        "monitor_threshold_fallback == 1",
        3600,
        "info",
        "The threshold of {{ $labels.detector }} on {{ $labels.instance }} was chosen without proliv",
        "Too few proliv are labelled, so what share of them it catches is not known.",
    )
    return [refused, fallback] if settings.calibration.nightly else [fallback]


def _runs(settings: Settings) -> list[Alert]:
    jobs = [NIGHTLY] * settings.calibration.nightly + [RETENTION] * (settings.store.keep_days > 0)
    if not jobs:
        return []
    seconds = max(settings.alerts.calibration_days * DAY_SECONDS, OVERDUE_SECONDS)
    age = 'time() - monitor_run_last_success_timestamp_seconds{{task=~"{}"}} > {}'
    overdue = Alert(
        "MonitorRunOverdue",
        age.format("|".join(jobs), OVERDUE_SECONDS),
        3600,
        "warning",
        "The {{ $labels.task }} run on {{ $labels.instance }} failed or did not take place",
        "The last that did not fail was {{ $value | humanizeDuration }} ago; it is due every day. Why: monitor status",
    )
    calibration = Alert(
        "MonitorCalibrationOverdue",
        age.format(NIGHTLY, number(seconds)),
        3600,
        "critical",
        "Thresholds on {{ $labels.instance }} do not follow the line any more",
        "No nightly run has gone through for {{ $value | humanizeDuration }}. Do it now and see why it fails: "
        "monitor recalibrate --dry-run",
    )
    return [overdue, calibration] if settings.calibration.nightly else [overdue]


def _drift() -> list[Alert]:
    shift = "monitor_drift_shift_sigmas{{{0}}}\nand monitor_drift_detected{{{0}}} == 1"
    return [
        Alert(
            "MonitorDrift",
            shift.format('hole="all"'),
            600,
            "warning",
            "The scores of {{ $labels.detector }} on {{ $labels.instance }} drift",
            "All holes together moved by {{ $value | humanize }} robust sigmas from where they were after the "
            "calibration. Look at the camera, the light, the alloy: monitor drift",
        ),
        Alert(
            "MonitorHoleDrift",
            shift.format('hole!="all"')
            + '\nunless on (job, instance, detector) monitor_drift_detected{hole="all"} == 1',
            600,
            "warning",
            "Hole {{ $labels.hole }} of camera {{ $labels.camera }} on {{ $labels.instance }} drifts",
            "Its scores by {{ $labels.detector }} moved by {{ $value | humanize }} robust sigmas from where they were "
            "after the calibration, those of all holes together did not: monitor drift",
        ),
    ]


def _failures(settings: Settings) -> list[Alert]:
    failed = f"sum by (job, instance) ({recording.FAILED})"
    ours = 'reason=~"detector_error|not_recorded"'
    # A refusal is waited for and tried again; within this at least two are counted.
    refusing = max(60, 2 * (settings.database.busy_seconds + LONGEST_COMMIT_PAUSE_SECONDS))
    return [
        Alert(
            "MonitorFilesFailing",
            f"{failed} / ({failed} + {recording.DECIDED}) > {LARGEST_FAILED_SHARE}\nand {failed} >= {LEAST_FAILED}",
            300,
            "warning",
            "{{ $value | humanizePercentage }} of the files on {{ $labels.instance }} cannot be decided on",
            "So many of the last 15 minutes were refused. By reason: monitor status",
        ),
        Alert(
            "MonitorDetectorErrors",
            f"{recording.FAILED}{{{ours}}} > 0",
            0,
            "critical",
            "{{ $value | humanize }} crops on {{ $labels.instance }} failed by {{ $labels.reason }}",
            "Not the files are at fault: the detector or the database failed on them within the last 15 minutes. "
            "The log has the error: journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorCommitsFailing",
            f"increase(monitor_store_failures_total[{duration(refusing)}]) > 0",
            # Longer than the window, in which a trouble that is over still shows.
            max(300, refusing + 60),
            "critical",
            "Decisions on {{ $labels.instance }} cannot be stored",
            "The database refuses again and again; what was decided waits, and nothing new is. Look with: "
            "monitor db check",
        ),
        Alert(
            "MonitorScansFailing",
            increased('monitor_scans_total{outcome="failed"}', recording.FAILING_SECONDS, by="folder") + " >= 3",
            300,
            "warning",
            "The {{ $labels.folder }} folder on {{ $labels.instance }} cannot be looked over",
            "{{ $value | humanize }} attempts of the last 15 minutes failed. Is it there, and may the daemon read it? "
            "journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorNoScan",
            f'time() - monitor_last_scan_timestamp_seconds{{folder="inbox"}} > {recording.FAILING_SECONDS}\n'
            f'or (time() - process_start_time_seconds{{job="{JOB}"}} > {recording.FAILING_SECONDS}\n'
            '  unless on (job, instance) monitor_last_scan_timestamp_seconds{folder="inbox"})',
            300,
            "critical",
            "The inbox on {{ $labels.instance }} has not been looked over for {{ $value | humanizeDuration }}",
            "Crops that came meanwhile may have been missed so far. journalctl -u monitor -p warning",
        ),
    ]


def _disks() -> list[Alert]:
    return [
        Alert(
            "MonitorDiskFilling",
            f"predict_linear(monitor_disk_free_bytes[6h], {DAY_SECONDS}) < 0\n"
            f"and on (job, instance, folder) monitor_disk_free_bytes < monitor_disk_free_bytes offset 3h",
            3600,
            "warning",
            "The disk of the {{ $labels.folder }} folder on {{ $labels.instance }} will be full within a day",
            "As it went in the last 6 hours. See [inbox] after and [store] keep_days.",
        ),
        Alert(
            "MonitorDiskFull",
            f"monitor_disk_free_bytes < {LEAST_DISK_BYTES}",
            300,
            "critical",
            "The disk of the {{ $labels.folder }} folder on {{ $labels.instance }} is full but for "
            "{{ $value | humanize1024 }}B",
            "When it is full, nothing is stored and so nothing decided. Free some space.",
        ),
    ]
