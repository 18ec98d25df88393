"""How good are the decisions, and which thresholds made them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy.dashboard import DETECTOR, INSTANCE, WINDOW, Dashboard, Row
from monitor.deploy.dashboards.shared import CALIBRATIONS, DETECTORS, ONE_INSTANCE, rate_stat
from monitor.deploy.panel_kinds import bars, heatmap, series, stat, table
from monitor.deploy.panels import Target, override

if TYPE_CHECKING:
    from monitor.configuration.settings import Alerts, Settings
    from monitor.deploy.panels import Panel

BAND = [
    override("at least", custom__lineStyle={"fill": "dash", "dash": [4, 4]}),
    override("at most", custom__lineStyle={"fill": "dash", "dash": [4, 4]}, custom__fillBelowTo="at least"),
]


def dashboard(settings: Settings) -> Dashboard:
    """For the person who answers for the figures."""
    bounds = settings.alerts
    return Dashboard(
        "monitor-quality",
        "monitor: detection quality",
        "TPR and TNR in operation with their intervals, from labelled crops; thresholds; scores; drift.",
        (
            Row("The final decision", (*_rates('detector="decision"', bounds), *_labels(bounds))),
            Row("Confusion", _confusion()),
            Row("Thresholds", _thresholds()),
            Row("Drift", _drift()),
            Row("$detector", (*_rates(DETECTOR, bounds), *_scores()), repeat="detector"),
        ),
        (ONE_INSTANCE, DETECTORS),
        choices=(("window", "Window", tuple(f"{days:g}d" for days in sorted(settings.quality.window_days))),),
        annotations=(CALIBRATIONS,),
        since="now-30d",
    )


def _rates(detector: str, bounds: Alerts) -> tuple[Panel, ...]:
    def panel(name: str, metric: str, what: str, target: float, advice: str) -> Panel:
        selector = f"{{{detector}, {WINDOW}, {INSTANCE}}}"
        return series(
            f"{name}, $window",
            f"{what} among the labelled crops of the window, with its 95 % interval; the dashed line is the target. "
            f"A wide interval means few labels. {advice}",
            Target(f"max(monitor_{metric}{selector})", name),
            Target(f"max(monitor_{metric}_low{selector})", "at least"),
            Target(f"max(monitor_{metric}_high{selector})", "at most"),
            unit="percentunit",
            most=1,
            bound=target,
            overrides=BAND,
        )

    missed = "Without randomly drawn crops among the labels (monitor label --audit 20) it is too high."
    alarms = "Too low: label false alarms as ne_proliv, then monitor recalibrate --dry-run."
    return (
        panel("TPR", "tpr", "The caught share of proliv", bounds.tpr_target, missed),
        panel("TNR", "tnr", "The passed share of ne_proliv", bounds.tnr_target, alarms),
    )


def _labels(bounds: Alerts) -> tuple[Panel, ...]:
    def now(name: str, metric: str, target: float) -> Panel:
        selector = f'{{{{detector="decision", {WINDOW}, {INSTANCE}}}}}'
        return rate_stat(
            f"{name} now",
            "With the ends of the 95 % interval; green when the target is reached.",
            name,
            f"max(monitor_{metric}{{end}}{selector})",
            target,
        )

    return (
        now("TPR", "tpr", bounds.tpr_target),
        now("TNR", "tnr", bounds.tnr_target),
        stat(
            "Labelled crops",
            "What the rates are computed from. With few labels the intervals are wide: label more.",
            Target(f"sum by (label) (monitor_labelled_crops{{{WINDOW}, {INSTANCE}}})", "{{label}}"),
            names=True,
        ),
        stat(
            "Audited",
            "Labelled crops that were drawn at random. 0: no one checks what raised no alarm, and TPR is too high. "
            "Draw some: monitor label --audit 20",
            Target(f"sum(monitor_audited_crops{{{WINDOW}, {INSTANCE}}})"),
            steps=((None, "orange"), (1, "green")),
        ),
        stat(
            "Labelled alarms",
            "The share of the window's alarms that have a label. If it is low, the rates are uncertain.",
            Target(f"max(monitor_alarm_label_coverage{{{WINDOW}, {INSTANCE}}})"),
            unit="percentunit",
            decimals=0,
            no_value="no alarms",
        ),
    )


def _confusion() -> tuple[Panel, ...]:
    counts = f"{{{DETECTOR}, {WINDOW}, {INSTANCE}}}"
    return (
        bars(
            "The final decision",
            "Labelled crops of the window by label and verdict. Each counts once here; the rates above weigh them and "
            "may differ. Labelled proliv, decided ne_proliv: a miss.",
            Target(
                f'sum by (label, verdict) (monitor_confusion_crops{{detector="decision", {WINDOW}, {INSTANCE}}})',
                "labelled {{label}}, decided {{verdict}}",
            ),
        ),
        table(
            "Each detector",
            "The same for each detector alone. If one misses what others catch, see [decision] decide.",
            Target(f"sum by (detector, label, verdict) (monitor_confusion_crops{counts})"),
            columns={"detector": "Detector", "label": "Labelled", "verdict": "Decided", "Value": "Crops"},
            width=12,
            height=8,
        ),
        series(
            "Labelled crops",
            "How many labelled crops the window holds. It falls when labelling stops.",
            Target(f"sum by (label) (monitor_labelled_crops{{{WINDOW}, {INSTANCE}}})", "{{label}}"),
            width=24,
            height=6,
        ),
    )


def _thresholds() -> tuple[Panel, ...]:
    each = f"{{{DETECTOR}, {INSTANCE}}}"
    return (
        series(
            "Thresholds",
            "What scores are compared with; each new one is marked. Why it changed: monitor threshold list. Back to "
            "the previous one: monitor threshold rollback",
            Target(f"max by (detector) (monitor_threshold{each})", "{{detector}}"),
            least=None,
            stepped=True,
            width=16,
        ),
        stat(
            "Age",
            "How long ago each threshold was chosen. An old one is fine if the nightly runs keep it (unchanged).",
            Target(f"time() - max by (detector) (monitor_threshold_timestamp_seconds{each})", "{{detector}}"),
            unit="s",
            decimals=0,
            names=True,
            height=8,
        ),
        stat(
            "Fallback",
            "Whether it was chosen without proliv, because too few are labelled. It is then unknown what share of "
            "proliv it catches: label proliv.",
            Target(f"max by (detector) (monitor_threshold_fallback{each})", "{{detector}}"),
            values={"0": ("no", "green"), "1": ("fallback", "orange")},
            names=True,
            height=8,
        ),
        series(
            "Calibrations of the day before",
            "Results of the nightly runs, by detector and reason. If a new threshold is refused, the old one stays: "
            "docs/calibration.md lists the reasons.",
            Target(
                f"sum by (detector, outcome, reason) (increase(monitor_calibrations_total{each}[1d]))",
                "{{detector}} {{outcome}} {{reason}}",
            ),
            width=24,
            height=6,
        ),
    )


def _scores() -> tuple[Panel, ...]:
    def histogram(metric: str) -> Target:
        return Target(f"sum by (le) (increase({metric}_bucket{{{DETECTOR}, {INSTANCE}}}[$__rate_interval]))")

    return (
        heatmap(
            "Deciding scores",
            "How the scores are distributed: the upper of two bands is proliv. If a band creeps towards the threshold: "
            "monitor drift",
            histogram("monitor_score"),
        ),
        heatmap(
            "Squared errors",
            "The mean squared error against the reconstruction, or against the mean crop if the detector makes none, "
            "in squared intensity (0-1), whichever score the detector decides by.",
            histogram("monitor_mse"),
        ),
    )


def _drift() -> tuple[Panel, ...]:
    return (
        series(
            "Drift of all holes together",
            "How far the median score has moved since the calibration, in robust sigmas. Look at the camera, the "
            "light, the alloy: monitor drift",
            Target(
                f'max by (detector) (monitor_drift_shift_sigmas{{hole="all", {DETECTOR}, {INSTANCE}}})', "{{detector}}"
            ),
            least=None,
        ),
        series(
            "Stability index",
            "The population stability index of the recent scores, which also shows a changed spread. It is for "
            "information only; with few crops it is large by chance.",
            Target(f"max by (detector) (monitor_drift_stability_index{{{DETECTOR}, {INSTANCE}}})", "{{detector}}"),
        ),
    )
