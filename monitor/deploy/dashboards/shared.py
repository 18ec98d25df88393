"""Variables, annotations and panels that several dashboards share."""

from __future__ import annotations

from typing import Final

from monitor.deploy.dashboard import CAMERA, DETECTOR, INSTANCE, Annotation, Variable
from monitor.deploy.panel_kinds import stat
from monitor.deploy.panels import Panel, Target
from monitor.deploy.rules import JOB

INSTANCES: Final = Variable("instance", "Instance", "label_values(monitor_build_info, instance)")
ONE_INSTANCE: Final = Variable("instance", "Instance", "label_values(monitor_build_info, instance)", many=False)
CAMERAS: Final = Variable(
    "camera", "Camera", f"label_values(monitor_hole_last_crop_timestamp_seconds{{{INSTANCE}}}, camera)"
)
HOLES: Final = Variable(
    "hole", "Hole", f"label_values(monitor_hole_last_crop_timestamp_seconds{{{INSTANCE}, {CAMERA}}}, hole)"
)
DETECTORS: Final = Variable("detector", "Detector", f"label_values(monitor_threshold{{{INSTANCE}}}, detector)")

STARTS: Final = Annotation(
    "Starts",
    f'process_start_time_seconds{{job="{JOB}", {INSTANCE}}} * 1000',
    "The daemon started",
    "{{instance}}",
    "purple",
)
CALIBRATIONS: Final = Annotation(
    "Calibrations",
    f"monitor_threshold_timestamp_seconds{{{INSTANCE}, {DETECTOR}}} * 1000",
    "New threshold",
    "{{detector}} on {{instance}}",
    "orange",
)


def rate_stat(title: str, description: str, name: str, series: str, target: float) -> Panel:
    """TPR or TNR now with its interval; ``series`` contains {end}, which becomes nothing, _low and _high."""
    return stat(
        title,
        description,
        Target(series.format(end=""), name),
        Target(series.format(end="_low"), "at least"),
        Target(series.format(end="_high"), "at most"),
        unit="percentunit",
        decimals=1,
        steps=((None, "red"), (target, "green")),
        names=True,
        width=6,
        no_value="no labels",
    )
