"""The program itself: is it quick, does it keep up, what fails?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy import recording
from monitor.deploy.dashboard import INSTANCE, Dashboard, Row
from monitor.deploy.dashboards.shared import INSTANCES, STARTS
from monitor.deploy.panel_kinds import heatmap, series, stat
from monitor.deploy.panels import Target
from monitor.deploy.rules import JOB

if TYPE_CHECKING:
    from monitor.configuration.settings import Alerts, Settings
    from monitor.deploy.panels import Panel

THESE = f"{{{INSTANCE}}}"
PROCESS = f'{{job="{JOB}", {INSTANCE}}}'


def dashboard(settings: Settings) -> Dashboard:
    """For the person who keeps the program running."""
    return Dashboard(
        "monitor-service",
        "monitor: service",
        "Latency, throughput, backlog, failures, the database, the process.",
        (
            Row("Speed", _speed(settings.alerts)),
            Row("Backlog", _backlog(settings.alerts)),
            Row("Failures", _failures()),
            Row("Store and disks", _store()),
            Row("Process", _process()),
        ),
        (INSTANCES,),
        annotations=(STARTS,),
        since="now-6h",
    )


def _rate(counter: str, name: str) -> Target:
    return Target(f"sum(rate({counter}{THESE}[$__rate_interval]))", name)


def _speed(bounds: Alerts) -> tuple[Panel, ...]:
    return (
        series(
            "Time to decide",
            "From the complete file to the stored decision; the dashed line is the bound. Crops that arrived before a "
            "start count with the time they really waited.",
            Target(f"max({recording.LATENCY_50}{THESE} >= 0)", "half within"),
            Target(f"max({recording.LATENCY_95}{THESE} >= 0)", "95 % within"),
            Target(f"max({recording.LATENCY_99}{THESE} >= 0)", "99 % within"),
            unit="s",
            bound=bounds.latency_seconds,
        ),
        heatmap(
            "Time to decide, all crops",
            "How many crops took how long. A second band far above means that some crops wait, mostly because their "
            "file is written slowly.",
            Target(f"sum by (le) (increase(monitor_decision_latency_seconds_bucket{THESE}[$__rate_interval]))"),
            unit="s",
        ),
        series(
            "Crops a second",
            "Picked up, decided on, failed, and put off because the file was not complete. If more are picked up than "
            "decided on: see the failures.",
            _rate("monitor_crops_seen_total", "picked up"),
            Target(f"sum({recording.DECIDED_RATE}{THESE})", "decided on"),
            Target(f"sum(rate(monitor_crops_failed_total{THESE}[$__rate_interval])) or vector(0)", "failed"),
            _rate("monitor_crops_retried_total", "put off"),
            unit="cps",
        ),
        series(
            "Decisions by detector",
            "Decisions a second by each model. They differ if a detector refuses crops.",
            Target(
                f"sum by (detector, verdict) (rate(monitor_decisions_total{THESE}[$__rate_interval]))",
                "{{detector}} {{verdict}}",
            ),
            unit="cps",
        ),
    )


def _backlog(bounds: Alerts) -> tuple[Panel, ...]:
    return (
        series(
            "Waiting files",
            "Files in the inbox that are not decided on yet. If they grow: fewer detectors, a GPU, or a faster disk.",
            Target(f"sum by (instance) (monitor_backlog_crops{THESE})", "{{instance}}"),
            width=8,
        ),
        series(
            "Longest wait",
            "The age of the oldest of them; the dashed line is the bound.",
            Target(f"max by (instance) (monitor_backlog_oldest_seconds{THESE})", "{{instance}}"),
            unit="s",
            bound=bounds.backlog_seconds,
            width=8,
        ),
        series(
            "Queues",
            "What is waiting between the stages. The stage after the longest queue is the slowest.",
            Target(f"sum by (queue) (monitor_queue_depth{THESE})", "{{queue}}"),
            width=8,
        ),
    )


def _failures() -> tuple[Panel, ...]:
    return (
        series(
            "Failed files",
            "Files of the past 15 minutes that could not be decided on, by reason (docs/metrics.md). detector_error "
            "and not_recorded are the program's fault: see the log.",
            Target(f"sum by (reason) ({recording.FAILED}{THESE}) > 0", "{{reason}}"),
            stacked=True,
        ),
        series(
            "Failed commits and scans",
            "Of the past 15 minutes. Commits: the database is locked, gone or full. Scans: a folder cannot be read.",
            Target(f"sum(increase(monitor_store_failures_total{THESE}[15m]))", "commits"),
            Target(
                f'sum by (folder) (increase(monitor_scans_total{{outcome="failed", {INSTANCE}}}[15m]))',
                "scans of {{folder}}",
            ),
        ),
        series(
            "Seconds since the last whole look over a folder",
            "It rises during a long scan, and keeps rising while scans fail.",
            Target(f"time() - max by (folder) (monitor_last_scan_timestamp_seconds{THESE})", "{{folder}}"),
            unit="s",
        ),
        series(
            "Scheduled runs of the day before",
            "By job and outcome. If some failed: monitor status, journalctl -u monitor",
            Target(
                f"sum by (task, outcome) (increase(monitor_scheduled_runs_total{THESE}[1d]))",
                "{{task}} {{outcome}}",
            ),
        ),
    )


def _store() -> tuple[Panel, ...]:
    return (
        series(
            "Seconds of a commit",
            "If they are long: the disk is slow, or another program is using the database.",
            Target(
                f"sum(rate(monitor_commit_seconds_sum{THESE}[$__rate_interval])) "
                f"/ (sum(rate(monitor_commit_seconds_count{THESE}[$__rate_interval])) > 0)",
                "mean",
            ),
            Target(f"max({recording.COMMIT_99}{THESE} >= 0)", "99 % within"),
            unit="s",
            width=8,
        ),
        series(
            "Size of the database",
            "It grows with the crops; [store] keep_days limits it.",
            Target(f"max by (instance) (monitor_database_size_bytes{THESE})", "{{instance}}"),
            unit="bytes",
            width=8,
        ),
        series(
            "Free on the disks",
            "On the disks that hold the folders. [inbox] after and [store] keep_days free space.",
            Target(f"min by (instance, folder) (monitor_disk_free_bytes{THESE})", "{{folder}} on {{instance}}"),
            unit="bytes",
            width=8,
        ),
        series(
            "Files tidied away",
            "Decided files of the past hour: deleted, archived, changed in the meantime, or impossible to move.",
            Target(f"sum by (outcome) (increase(monitor_tidied_files_total{THESE}[1h]))", "{{outcome}}"),
        ),
        series(
            "Decisions pruned",
            "Deleted in the past day because they were older than store.keep_days.",
            Target(f"sum by (instance) (increase(monitor_pruned_crops_total{THESE}[1d]))", "{{instance}}"),
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        series(
            "Memory",
            "Resident memory of the process. It should level off; if it keeps rising, report it.",
            Target(f"max by (instance) (process_resident_memory_bytes{PROCESS})", "{{instance}}"),
            unit="bytes",
            width=8,
        ),
        series(
            "Processor",
            "How many cores are busy. Scoring uses as many as it can get.",
            Target(f"sum by (instance) (rate(process_cpu_seconds_total{PROCESS}[$__rate_interval]))", "{{instance}}"),
            width=8,
        ),
        series(
            "Open files",
            "The number should stay about the same.",
            Target(f"max by (instance) (process_open_fds{PROCESS})", "{{instance}}"),
            width=8,
        ),
        stat(
            "Running for",
            "Since the last start. If it keeps restarting: journalctl -u monitor",
            Target(f"time() - max by (instance) (process_start_time_seconds{PROCESS})", "{{instance}}"),
            unit="s",
            decimals=0,
            names=True,
            width=8,
        ),
        stat(
            "Models",
            "The active models, and how long ago they were trained.",
            Target(f"time() - max by (model) (monitor_model_trained_timestamp_seconds{THESE})", "{{model}}"),
            unit="s",
            decimals=0,
            names=True,
            width=8,
        ),
        stat(
            "Scrape",
            "How long Prometheus takes to read the metrics, and how many series it gets.",
            Target(f"max(scrape_duration_seconds{PROCESS})", "seconds"),
            Target(f"max(scrape_samples_scraped{PROCESS})", "series"),
            names=True,
            width=8,
        ),
    )
