"""The alerts about thresholds, the nightly runs that choose them or train models, and scores that move away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy.rules import DAY_SECONDS, Alert, duration, increased, number
from monitor.metrics.declared import TASKS

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

NIGHTLY, RETENTION, RETRAIN = TASKS
# When a run of a task last succeeded.
AGE: Final = 'time() - monitor_run_last_success_timestamp_seconds{{task=~"{}"}} > {}'
# Daily runs are at most 25 hours apart, in autumn.
OVERDUE_SECONDS: Final = 26 * 3600


def rules(settings: Settings) -> list[Alert]:
    """About what happens once a day; where no nightly run is configured, none asks for one."""
    return [*_thresholds(settings), *_runs(settings), *_learning(settings), *_drift()]


def _thresholds(settings: Settings) -> list[Alert]:
    seconds = max(settings.alerts.calibration_days * DAY_SECONDS, OVERDUE_SECONDS)
    days = f"{seconds / DAY_SECONDS:.3g}"
    window = duration(seconds)

    def seen(equal: str) -> str:
        """Whether anything was refused (or not) within the window: its count grew, or appeared."""
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
        "New thresholds for {{ $labels.detector }} on {{ $labels.instance }} are being refused",
        f"The guard has accepted none for {days} days; the active one is {{{{ $value | humanizeDuration }}}} old. Why: "
        "monitor threshold show",
    )
    fallback = Alert(
        "MonitorThresholdFallback",
        "monitor_threshold_fallback == 1",
        3600,
        "info",
        "The threshold of {{ $labels.detector }} on {{ $labels.instance }} was chosen without proliv",
        "Too few proliv are labelled, so it is unknown what share of them it catches.",
    )
    return [refused, fallback] if settings.calibration.nightly else [fallback]


def _runs(settings: Settings) -> list[Alert]:
    jobs = [NIGHTLY] * settings.calibration.nightly + [RETENTION] * (settings.store.keep_days > 0)
    if not jobs:
        return []
    seconds = max(settings.alerts.calibration_days * DAY_SECONDS, OVERDUE_SECONDS)
    overdue = Alert(
        "MonitorRunOverdue",
        AGE.format("|".join(jobs), OVERDUE_SECONDS),
        3600,
        "warning",
        "The {{ $labels.task }} run on {{ $labels.instance }} failed or did not happen",
        "The last one that succeeded was {{ $value | humanizeDuration }} ago; it is due every day. Why: monitor status",
    )
    calibration = Alert(
        "MonitorCalibrationOverdue",
        AGE.format(NIGHTLY, number(seconds)),
        3600,
        "critical",
        "Thresholds on {{ $labels.instance }} no longer follow the line",
        "No nightly run has succeeded for {{ $value | humanizeDuration }}. Run it now to see why it fails: "
        "monitor recalibrate --dry-run",
    )
    return [overdue, calibration] if settings.calibration.nightly else [overdue]


def _learning(settings: Settings) -> list[Alert]:
    if not settings.learning.enabled:
        return []
    return [
        Alert(
            "MonitorRetrainingFailed",
            AGE.format(RETRAIN, OVERDUE_SECONDS),
            3600,
            "warning",
            "Models on {{ $labels.instance }} do not learn from labels: the nightly training failed or did not happen",
            "The last one that succeeded was {{ $value | humanizeDuration }} ago; the models in use stay. Why: monitor "
            "status",
        ),
        Alert(
            "MonitorRetrainingRefused",
            increased('monitor_retrainings_total{outcome="refused"}', OVERDUE_SECONDS, by="detector") + " > 0",
            0,
            "warning",
            "A model of {{ $labels.detector }} on {{ $labels.instance }} that learned from labels was refused",
            "The model in use stays. Often a label is wrong, and the reason names its crop: monitor models retrained",
        ),
    ]


def _drift() -> list[Alert]:
    shift = "monitor_drift_shift_sigmas{{{0}}}\nand monitor_drift_detected{{{0}}} == 1"
    return [
        Alert(
            "MonitorDrift",
            shift.format('hole="all"'),
            600,
            "warning",
            "The scores of {{ $labels.detector }} on {{ $labels.instance }} are drifting",
            "All holes together have moved by {{ $value | humanize }} robust sigmas since the calibration. Look at the "
            "camera, the light, the alloy: monitor drift",
        ),
        Alert(
            "MonitorHoleDrift",
            shift.format('hole!="all"')
            + '\nunless on (job, instance, detector) monitor_drift_detected{hole="all"} == 1',
            600,
            "warning",
            "Hole {{ $labels.hole }} of camera {{ $labels.camera }} on {{ $labels.instance }} is drifting",
            "Its scores by {{ $labels.detector }} have moved by {{ $value | humanize }} robust sigmas since the "
            "calibration; those of all holes together have not: monitor drift",
        ),
    ]
