"""Is it working, and what happened in the last day?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy import recording
from monitor.deploy.dashboard import CAMERA, INSTANCE, Dashboard, Row
from monitor.deploy.dashboards.alarm_panels import alarms
from monitor.deploy.dashboards.shared import CAMERAS, INSTANCES, STARTS, rate_stat
from monitor.deploy.panel_kinds import series, stat, table
from monitor.deploy.panels import Target, override
from monitor.deploy.rules import JOB

if TYPE_CHECKING:
    from monitor.configuration.settings import Alerts, Settings
    from monitor.deploy.panels import Panel

HOLES = f"monitor_hole_last_crop_timestamp_seconds{{{INSTANCE}, {CAMERA}}}"
FIRING = 'alertname=~"Monitor.*", alertstate="firing"'
ALERT_LABELS = "alertname, severity, instance, camera, hole, detector, window, reason, folder"


def dashboard(settings: Settings) -> Dashboard:
    """The first one that a maintenance engineer opens."""
    longest = f"{max(settings.quality.window_days):g}d"
    return Dashboard(
        "monitor-overview",
        "monitor: overview",
        "Is it working, and what happened in the last day?",
        (
            Row("Is it working?", (*_answering(), *_speed(settings.alerts), _firing())),
            Row("The last day", (*_decided(), *_health(), *_rates(settings.alerts, longest), *_known())),
            Row("Over time", _time()),
        ),
        (INSTANCES, CAMERAS),
        annotations=(STARTS,),
    )


def _answering() -> tuple[Panel, ...]:
    return (
        stat(
            "Daemon",
            "Whether every daemon answers Prometheus. If not: systemctl status monitor",
            Target(f'min(up{{job="{JOB}", {INSTANCE}}})'),
            values={"0": ("down", "red"), "1": ("up", "green")},
        ),
        stat(
            "Alerts",
            "How many alerts are firing, without those for information only. They are listed below; docs/alerts.md "
            "says what to do about each.",
            Target(f'count(ALERTS{{{FIRING}, severity!="info", {INSTANCE}}}) or vector(0)'),
            steps=((None, "green"), (1, "red")),
        ),
    )


def _speed(bounds: Alerts) -> tuple[Panel, ...]:
    return (
        stat(
            "Last crop",
            "How long ago the last crop was decided on. If that is longer than a pause between casts: does the camera "
            "write into the inbox?",
            Target(f"time() - max({recording.LAST_CROP}{{{INSTANCE}}})"),
            unit="s",
            decimals=0,
            steps=((None, "green"), (bounds.silent_seconds, "yellow"), (bounds.pause_seconds, "red")),
        ),
        stat(
            "Waiting",
            "Files in the inbox that are not decided on yet. If the number grows: see the dashboard of the service.",
            Target(f"sum(monitor_backlog_crops{{{INSTANCE}}})"),
            steps=((None, "green"), (1000, "yellow")),
        ),
        stat(
            "Longest wait",
            "How long the oldest of them has waited. Beyond the bound, its decision is too late to act on.",
            Target(f"max(monitor_backlog_oldest_seconds{{{INSTANCE}}})"),
            unit="s",
            decimals=0,
            steps=((None, "green"), (bounds.latency_seconds, "yellow"), (bounds.backlog_seconds, "red")),
        ),
        stat(
            "Time to decide",
            "99 % of the crops of the last 5 minutes took up to this long from the complete file to the stored "
            "decision; empty if none came.",
            Target(f"max({recording.LATENCY_99}{{{INSTANCE}}} >= 0)"),
            unit="s",
            steps=((None, "green"), (bounds.latency_seconds, "red")),
            no_value="no crops",
        ),
    )


def _firing() -> Panel:
    return table(
        "Firing alerts",
        "What is firing now. docs/alerts.md has a section for each: what it means, how to check, what to do.",
        Target(f"max by ({ALERT_LABELS}) (ALERTS{{{FIRING}, {INSTANCE}}})"),
        columns={
            "alertname": "Alert",
            "severity": "Severity",
            "instance": "Instance",
            "camera": "Camera",
            "hole": "Hole",
            "detector": "Detector",
            "window": "Window",
            "reason": "Reason",
            "folder": "Folder",
        },
        hidden=("Value",),
        overrides=[
            override(
                "Severity",
                custom__cellOptions={"type": "color-text"},
                mappings=_severities(),
            )
        ],
        height=6,
    )


def _severities() -> list[dict[str, object]]:
    colors = {"critical": "red", "warning": "orange", "info": "blue"}
    return [{"type": "value", "options": {name: {"color": color, "text": name} for name, color in colors.items()}}]


def _decided() -> tuple[Panel, ...]:
    return (
        stat(
            "Crops",
            "Decided on in the last day.",
            Target(f"sum(increase(monitor_crops_scored_total{{{INSTANCE}}}[1d]))"),
            decimals=0,
            width=3,
        ),
        stat(
            "Proliv",
            "Crops decided proliv in the last day. Look at them, then label them: monitor label --help",
            Target(f'sum(increase(monitor_verdicts_total{{verdict="proliv", {INSTANCE}}}[1d]))'),
            decimals=0,
            steps=((None, "green"), (0.5, "orange")),
            width=3,
        ),
        *alarms(),
        stat(
            "Alarm share",
            "The share of the last day's crops that were decided proliv. If it is much larger than usual: has the "
            "light changed (monitor drift), or the threshold (monitor threshold show)?",
            Target(f"max({recording.ALARM_SHARE_DAY}{{{INSTANCE}}})"),
            unit="percentunit",
            decimals=2,
        ),
        stat(
            "Unusual",
            "Crops of the last day that were decided ne_proliv although a model calls them proliv. Most are nothing; a "
            "kind of bleed-out that the other models do not know would show here first. Look at some: monitor label "
            "--audit 20",
            Target(f"sum(increase(monitor_unusual_crops_total{{{INSTANCE}}}[1d]))"),
            decimals=0,
        ),
        stat(
            "Failed files",
            "Files of the last day that could not be decided on. The reasons are below.",
            Target(f"sum(increase(monitor_crops_failed_total{{{INSTANCE}}}[1d])) or vector(0)"),
            decimals=0,
            steps=((None, "green"), (1, "yellow")),
            width=3,
        ),
    )


def _health() -> tuple[Panel, ...]:
    return (
        stat(
            "Daily runs",
            "How long ago each daily job last succeeded. If that is more than 26 hours: monitor status says why.",
            Target(
                f"time() - min by (task) (monitor_run_last_success_timestamp_seconds{{{INSTANCE}}})",
                "{{task}}",
            ),
            unit="s",
            decimals=0,
            steps=((None, "green"), (26 * 3600, "red")),
            names=True,
        ),
        stat(
            "Holes that drift",
            "Holes whose scores have moved since the calibration. Which: monitor drift",
            Target(f'sum(monitor_drift_detected{{hole!="all", {INSTANCE}, {CAMERA}}}) or vector(0)'),
            steps=((None, "green"), (1, "orange")),
            width=3,
        ),
    )


def _rates(bounds: Alerts, longest: str) -> tuple[Panel, ...]:
    rate = f'detector="decision", window="{longest}", {INSTANCE}'

    def panel(name: str, metric: str, target: float, what: str) -> Panel:
        return rate_stat(
            f"{name} of {longest}",
            f"{what} in operation, from the labelled crops, with the ends of the 95 % interval: at least, at most. "
            "Without labels there is no figure: label crops, including random ones (monitor label --audit 20).",
            name,
            f"min({metric}{{end}}{{{{{rate}}}}})",
            target,
        )

    return (
        panel("TPR", "monitor_tpr", bounds.tpr_target, "The share of proliv that is caught"),
        panel("TNR", "monitor_tnr", bounds.tnr_target, "The share of ne_proliv that passes"),
    )


def _known() -> tuple[Panel, ...]:
    return (
        stat(
            "Holes",
            "Holes that gave a crop in the last day, and all that are known.",
            Target(
                f"count({HOLES} > time() - 86400) or vector(0)",
                "in the last day",
            ),
            Target(f"count({HOLES})", "known"),
            names=True,
            width=6,
        ),
        stat(
            "Program",
            "The version of each daemon.",
            Target(f"max by (instance, version) (monitor_build_info{{{INSTANCE}}})", "{{version}} on {{instance}}"),
            names="only",
            width=6,
        ),
    )


def _time() -> tuple[Panel, ...]:
    return (
        series(
            "Decisions",
            "Final decisions a minute, by verdict. Gaps are pauses between casts, or crops that did not arrive.",
            Target(f"sum by (verdict) ({recording.VERDICT_RATE}{{{INSTANCE}}}) * 60", "{{verdict}}"),
            stacked=True,
            overrides=[override("proliv", color={"mode": "fixed", "fixedColor": "red"})],
            width=8,
        ),
        series(
            "Alarm share",
            "The share of proliv among the crops of the past hour.",
            Target(f"max by (instance) ({recording.ALARM_SHARE_HOUR}{{{INSTANCE}}})", "{{instance}}"),
            unit="percentunit",
            width=8,
        ),
        series(
            "Unusual share",
            "The share of unusual crops among those of the past hour: decided ne_proliv, although a model calls them "
            "proliv. A jump may be a new kind of bleed-out, or something new in the picture.",
            Target(f"max by (instance) ({recording.UNUSUAL_SHARE_HOUR}{{{INSTANCE}}})", "{{instance}}"),
            unit="percentunit",
            width=8,
        ),
        series(
            "Crops by camera",
            "Final decisions a minute, by camera. A line that ends while others go on is a silent camera.",
            Target(
                f"sum by (camera) (rate(monitor_hole_crops_total{{{INSTANCE}, {CAMERA}}}[$__rate_interval])) * 60",
                "{{camera}}",
            ),
        ),
        series(
            "Failed files by reason",
            "Files of the past 15 minutes that could not be decided on; docs/metrics.md lists the reasons.",
            Target(f"sum by (reason) ({recording.FAILED}{{{INSTANCE}}}) > 0", "{{reason}}"),
            stacked=True,
        ),
    )
