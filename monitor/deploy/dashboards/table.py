"""The casting table: each hole's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy.dashboard import CAMERA, DETECTOR, HOLE, INSTANCE, Dashboard, Row
from monitor.deploy.dashboards.shared import CAMERAS, DETECTORS, HOLES, ONE_INSTANCE
from monitor.deploy.panel_kinds import series, stat, table, timeline
from monitor.deploy.panels import PROLIV, Target, mapped, override
from monitor.deploy.rules import number

if TYPE_CHECKING:
    from monitor.configuration.settings import Alerts, Settings
    from monitor.deploy.panels import Panel

THESE = f"{{{INSTANCE}, {CAMERA}, {HOLE}}}"
EVERY_CAMERA = f"{{{INSTANCE}, {CAMERA}}}"
LAST_CROP = f"monitor_hole_last_crop_timestamp_seconds{THESE}"


def dashboard(settings: Settings) -> Dashboard:
    """For the person at the casting table."""
    return Dashboard(
        "monitor-table",
        "monitor: casting table",
        "Each hole: its last decision, its score and threshold, drift, and missing crops.",
        (
            Row("The table", _counts(settings.alerts)),
            Row("Hole by hole", (_list(settings.alerts), _grid())),
            Row("Over time", _time()),
        ),
        (ONE_INSTANCE, CAMERAS, HOLES, DETECTORS),
        since="now-6h",
    )


def _counts(bounds: Alerts) -> tuple[Panel, ...]:
    return (
        stat(
            "Proliv now",
            "Holes whose last crop was decided proliv. Look at them, then label the crops.",
            Target(f"sum(monitor_hole_last_proliv{THESE})"),
            steps=((None, "green"), (1, "red")),
        ),
        stat(
            "Holes",
            "Known holes. Those beyond metrics.holes count as one, named other.",
            Target(f"count({LAST_CROP})"),
        ),
        stat(
            "Silent",
            "Holes without a crop for longer than alerts.silent_seconds. If it is all of them: a pause between casts.",
            Target(f"count(time() - {LAST_CROP} > {number(bounds.silent_seconds)}) or vector(0)"),
            steps=((None, "green"), (1, "yellow")),
        ),
        stat(
            "Drifting",
            "Holes whose scores have moved since the calibration: monitor drift",
            Target(
                f'sum(monitor_drift_detected{{hole!="all", {INSTANCE}, {CAMERA}, {HOLE}, {DETECTOR}}}) or vector(0)'
            ),
            steps=((None, "green"), (1, "orange")),
        ),
        stat(
            "Missing intervals",
            "Hole-intervals of completeness.window_hours in which a crop was expected and none arrived: "
            "monitor status --missing. Nothing is expected if completeness.interval_seconds is 0.",
            Target(f'sum(monitor_intervals{{state="missing", {INSTANCE}, {CAMERA}}}) or vector(0)'),
            steps=((None, "green"), (1, "orange")),
        ),
        stat(
            "Expected holes",
            "How many holes should give crops, according to [completeness] in the configuration.",
            Target(f"sum(monitor_expected_holes{EVERY_CAMERA}) or vector(0)"),
        ),
    )


def _list(bounds: Alerts) -> Panel:
    def by_hole(expression: str) -> Target:
        return Target(f"max by (camera, hole) ({expression})")

    drifts = f"{{{INSTANCE}, {CAMERA}, {HOLE}, {DETECTOR}}}"
    silent = [{"value": None, "color": "text"}, {"value": bounds.silent_seconds, "color": "orange"}]
    return table(
        "Holes",
        "A row for each hole, with the score and the threshold of its last final decision. Click a column's title to "
        "sort, the funnel to filter.",
        by_hole(f"monitor_hole_last_proliv{THESE}"),
        by_hole(f"monitor_hole_last_score{THESE}"),
        by_hole(f"monitor_hole_last_threshold{THESE}"),
        by_hole(f"time() - {LAST_CROP}"),
        Target(f"sum by (camera, hole) (increase(monitor_hole_crops_total{THESE}[1d]))"),
        by_hole(f"monitor_drift_shift_sigmas{drifts}"),
        by_hole(f"monitor_drift_detected{drifts}"),
        by_hole(f"monitor_hole_missing_intervals{THESE}"),
        columns={
            "camera": "Camera",
            "hole": "Hole",
            "Value #A": "Last verdict",
            "Value #B": "Score",
            "Value #C": "Threshold",
            "Value #D": "Last crop ago",
            "Value #E": "Crops of a day",
            "Value #F": "Shift in sigmas",
            "Value #G": "Drift",
            "Value #H": "Missing",
        },
        overrides=[
            override("Last verdict", mappings=mapped(PROLIV), custom__cellOptions={"type": "color-background"}),
            override("Score|Threshold", pattern=True, decimals=4),
            override(
                "Last crop ago",
                unit="s",
                decimals=0,
                custom__cellOptions={"type": "color-text"},
                thresholds={"mode": "absolute", "steps": silent},
            ),
            override("Crops of a day", decimals=0),
            override("Shift in sigmas", decimals=1),
            override(
                "Drift",
                mappings=mapped({"0": ("no", "green"), "1": ("drifts", "orange")}),
                custom__cellOptions={"type": "color-text"},
            ),
        ],
        height=14,
    )


def _grid() -> Panel:
    return stat(
        "Score as a share of the threshold",
        "Of each hole's last final decision: 100 % or more is proliv. A hole that stays close to it without proliv is "
        "worth a look. (If several models vote, the score is a margin, and only the colour matters.)",
        Target(
            f"max by (camera, hole) (monitor_hole_last_score{THESE} / (monitor_hole_last_threshold{THESE} > 0))",
            "{{camera}} {{hole}}",
        ),
        unit="percentunit",
        decimals=0,
        steps=((None, "green"), (0.8, "yellow"), (1, "red")),
        names=True,
        width=24,
        height=10,
    )


def _time() -> tuple[Panel, ...]:
    return (
        timeline(
            "Verdicts",
            "Each hole's last verdict over time; a proliv shows until the hole's next crop. If there are many holes, "
            "choose a camera and holes above.",
            Target(
                f"max by (camera, hole) (max_over_time(monitor_hole_last_proliv{THESE}[$__interval]))",
                "{{camera}} {{hole}}",
            ),
            values=PROLIV,
        ),
        series(
            "Proliv of the hour before",
            "Crops decided proliv, by hole. If one hole alone keeps appearing: look at it.",
            Target(
                f'sum by (camera, hole) (increase(monitor_hole_crops_total{{verdict="proliv", {INSTANCE}, {CAMERA}, '
                f"{HOLE}}}[1h])) > 0 or on () vector(0)",
                "{{camera}} {{hole}}",
            ),
        ),
        series(
            "Seconds since the last crop",
            "By hole, the ten longest. If all rise together it is a pause; one alone is a hole without crops.",
            Target(f"topk(10, time() - {LAST_CROP})", "{{camera}} {{hole}}"),
            unit="s",
        ),
        series(
            "Missing intervals",
            "Expected hole-intervals without a crop, by hole, the ten with the most.",
            Target(f"topk(10, monitor_hole_missing_intervals{THESE})", "{{camera}} {{hole}}"),
        ),
        series(
            "Drift",
            "How far each hole's median score has moved, in robust sigmas, the ten that moved furthest.",
            Target(
                f"topk(10, abs(monitor_drift_shift_sigmas{{{INSTANCE}, {CAMERA}, {HOLE}, {DETECTOR}}}))",
                "{{camera}} {{hole}} {{detector}}",
            ),
        ),
    )
