"""The alerts about what fails: files, detectors, commits, scans, disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy import recording
from monitor.deploy.rules import DAY_SECONDS, JOB, Alert, duration, increased

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

LARGEST_FAILED_SHARE: Final = 0.05
LEAST_FAILED: Final = 5
LEAST_DISK_BYTES: Final = 2**30
# That of the daemon's writer, which is not imported here; a test compares them.
LONGEST_COMMIT_PAUSE_SECONDS: Final = 10


def rules(settings: Settings) -> list[Alert]:
    """About crops that cannot be decided on, or whose decisions cannot be stored."""
    return [*_decisions(settings), *_scans(), *_deletion(), *_disks()]


def _decisions(settings: Settings) -> list[Alert]:
    failed = f"sum by (job, instance) ({recording.FAILED})"
    ours = 'reason=~"detector_error|not_recorded"'
    # The daemon waits and tries again after a refusal; in this time at least two are counted.
    refusing = max(60, 2 * (settings.database.busy_seconds + LONGEST_COMMIT_PAUSE_SECONDS))
    return [
        Alert(
            "MonitorFilesFailing",
            f"{failed} / ({failed} + {recording.DECIDED}) > {LARGEST_FAILED_SHARE}\nand {failed} >= {LEAST_FAILED}",
            300,
            "warning",
            "{{ $value | humanizePercentage }} of the files on {{ $labels.instance }} cannot be decided on",
            "That is their share of the last 15 minutes. By reason: monitor status",
        ),
        Alert(
            "MonitorFilesDamaged",
            f'{recording.FAILED}{{reason="damaged"}} > 0',
            0,
            "warning",
            "{{ $value | humanize }} crops on {{ $labels.instance }} were damaged on their way and are lost",
            "Their bytes were changed within the last 15 minutes, after the camera wrote them. Are they transferred in "
            "binary mode, and are the disk and the network sound? journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorDetectorErrors",
            f"{recording.FAILED}{{{ours}}} > 0",
            0,
            "critical",
            "{{ $value | humanize }} crops on {{ $labels.instance }} failed: {{ $labels.reason }}",
            "The files are not at fault: the detector or the database failed on them in the last 15 minutes. "
            "The log has the error: journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorCommitsFailing",
            f"increase(monitor_store_failures_total[{duration(refusing)}]) > 0",
            # Longer than the window, in which a trouble that is over still counts.
            max(300, refusing + 60),
            "critical",
            "Decisions on {{ $labels.instance }} cannot be stored",
            "The database keeps refusing; the decisions made so far wait, and no new ones are made. Check: "
            "monitor db check",
        ),
    ]


def _scans() -> list[Alert]:
    return [
        Alert(
            "MonitorScansFailing",
            increased('monitor_scans_total{outcome="failed"}', recording.FAILING_SECONDS, by="folder") + " >= 3",
            300,
            "warning",
            "The {{ $labels.folder }} folder on {{ $labels.instance }} cannot be scanned",
            "{{ $value | humanize }} attempts in the last 15 minutes failed. Does it exist, and may the daemon read "
            "it? journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorNoScan",
            f'time() - monitor_last_scan_timestamp_seconds{{folder="inbox"}} > {recording.FAILING_SECONDS}\n'
            f'or (time() - process_start_time_seconds{{job="{JOB}"}} > {recording.FAILING_SECONDS}\n'
            '  unless on (job, instance) monitor_last_scan_timestamp_seconds{folder="inbox"})',
            300,
            "critical",
            "The inbox on {{ $labels.instance }} has not been scanned for {{ $value | humanizeDuration }}",
            "Crops that arrived since then may have been missed so far. journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorNoFileEvents",
            "monitor_file_events == 0",
            recording.FAILING_SECONDS,
            "warning",
            "The kernel does not tell the daemon on {{ $labels.instance }} of new files in the {{ $labels.folder }} "
            "folder, or in some of its sub-folders",
            "Crops there are found by scans alone, which takes longer. The log says why: "
            "journalctl -u monitor -p warning",
        ),
    ]


def _deletion() -> list[Alert]:
    return [
        Alert(
            "MonitorDeletionStopped",
            "monitor_deletion_stopped > 0",
            300,
            "critical",
            "The daemon on {{ $labels.instance }} has stopped deleting ({{ $labels.task }})",
            "The inbox or the database may not be what it was, so what is deleted could be lost for good. The log "
            "says what is in doubt: journalctl -u monitor -p warning",
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
            "At the rate of the last 6 hours. See [inbox] after and [store] keep_days.",
        ),
        Alert(
            "MonitorDiskFull",
            f"monitor_disk_free_bytes < {LEAST_DISK_BYTES}",
            300,
            "critical",
            "The disk of the {{ $labels.folder }} folder on {{ $labels.instance }} has only "
            "{{ $value | humanize1024 }}B left",
            "When it is full, nothing can be stored, so nothing is decided. Free some space.",
        ),
    ]
