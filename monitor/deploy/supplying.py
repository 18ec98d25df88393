"""The alerts about crops that do not arrive: from a hole, from a camera, or at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy import recording
from monitor.deploy.rules import DAY_SECONDS, Alert, duration, number, running_for

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

LARGEST_MISSING_SHARE: Final = 0.05
LARGEST_MISSING_SHARE_OF_HOLE: Final = 0.2


def rules(settings: Settings) -> list[Alert]:
    """A hole is compared with its camera, a camera with the others: all of them are silent between two casts."""
    return [*_silent(settings), _no_crops(settings), *_missing(settings)]


def _silent(settings: Settings) -> list[Alert]:
    silent = recording.silent_window(settings)
    window = duration(silent)
    # What gave its last crop longer ago counts as out of use.
    forgotten = number(max(settings.completeness.learn_days * DAY_SECONDS, 2 * silent))
    last_hole = 'monitor_hole_last_crop_timestamp_seconds{hole!~"unknown|other"}'
    # A file whose name tells no camera was most likely put there by hand, once.
    last_camera = f'{recording.CAMERA_LAST_CROP}{{camera!~"unknown|other"}}'
    uptime = f"and on (job, instance) {running_for(silent)}"
    return [
        Alert(
            "MonitorHoleSilent",
            f"time() - {last_hole} > {number(silent)}\n"
            f"and time() - {last_hole} < {forgotten}\n"
            f"and on (job, instance, camera) min_over_time({recording.CAMERA_ACTIVE}[{window}]) == 1\n"
            f"{uptime}",
            max(silent / 3, 20),
            "warning",
            "No crops from hole {{ $labels.hole }} of camera {{ $labels.camera }} on {{ $labels.instance }} for "
            "{{ $value | humanizeDuration }}",
            "Other holes of the camera gave crops throughout. Is the hole still being cropped, and are its files named "
            "as before? monitor status --missing",
        ),
        Alert(
            "MonitorCameraSilent",
            f"time() - {last_camera} > {number(silent)}\n"
            f"and time() - {last_camera} < {forgotten}\n"
            f"and on (job, instance) min_over_time({recording.ACTIVE}[{window}]) == 1\n"
            f"{uptime}",
            max(silent / 3, 20),
            "warning",
            "No crops from camera {{ $labels.camera }} on {{ $labels.instance }} for {{ $value | humanizeDuration }}",
            "Other cameras gave crops throughout. Is the camera running, and does it still write into the inbox?",
        ),
    ]


def _no_crops(settings: Settings) -> Alert:
    pause = settings.alerts.pause_seconds
    return Alert(
        "MonitorNoCrops",
        f"time() - {recording.LAST_CROP} > {number(pause)}\nunless on (job, instance) monitor_backlog_crops > 0",
        60,
        "warning",
        "No crops on {{ $labels.instance }} for {{ $value | humanizeDuration }}",
        f"No camera gave any for longer than the longest pause between casts ({duration(pause)}, "
        "alerts.pause_seconds). If the line is running: is the camera's folder still the inbox?",
    )


def _missing(settings: Settings) -> list[Alert]:
    span = duration(settings.completeness.window_hours * 3600)
    return [
        Alert(
            "MonitorIntervalsMissing",
            'monitor_intervals{state="missing"}\n'
            '/ ignoring (state) (monitor_intervals{state="expected"} > 0)\n'
            f"> {LARGEST_MISSING_SHARE}",
            600,
            "warning",
            "{{ $value | humanizePercentage }} of the expected crops of camera {{ $labels.camera }} on "
            "{{ $labels.instance }} are missing",
            f"That share of the hole-intervals of the last {span} passed without a crop. Which: "
            "monitor status --missing",
        ),
        Alert(
            "MonitorHoleIntervalsMissing",
            'monitor_hole_missing_intervals{hole!="other"}\n'
            "/ on (job, instance, camera) group_left ()\n"
            '  (monitor_intervals{state="expected"} / ignoring (state) monitor_expected_holes > 0)\n'
            f"> {LARGEST_MISSING_SHARE_OF_HOLE}\n"
            # If the whole camera misses as much, one alert is enough.
            "unless on (job, instance, camera)\n"
            '  monitor_intervals{state="missing"}\n'
            f'  / ignoring (state) (monitor_intervals{{state="expected"}} > 0) > {LARGEST_MISSING_SHARE_OF_HOLE}',
            600,
            "warning",
            "{{ $value | humanizePercentage }} of the expected crops of hole {{ $labels.hole }} of camera "
            "{{ $labels.camera }} on {{ $labels.instance }} are missing",
            f"That share of the intervals of the last {span} passed without a crop from it, while its camera gave "
            "crops. Which: monitor status --missing",
        ),
    ]
