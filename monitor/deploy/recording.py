"""The recording rules: rates, quantiles and shares that dashboards and alerts use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy.rules import SHORTEST_WINDOW, Recording, increased, number

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

# The time over which failures are counted.
FAILING_SECONDS: Final = 900

DECIDED_RATE: Final = "instance:monitor_crops_decided:rate5m"
VERDICT_RATE: Final = "instance_verdict:monitor_verdicts:rate5m"
ALARM_SHARE_HOUR: Final = "instance:monitor_alarm_share:ratio1h"
ALARM_SHARE_DAY: Final = "instance:monitor_alarm_share:ratio1d"
UNUSUAL_HOUR: Final = "instance:monitor_unusual_crops:increase1h"
# Only as long as unusual crops are counted, which an older program did not do.
DECIDED_HOUR: Final = "instance:monitor_verdicts:increase1h"
UNUSUAL_SHARE_HOUR: Final = "instance:monitor_unusual_share:ratio1h"
# Of the seven days before the last hour.
UNUSUAL_SHARE_WEEK: Final = "instance:monitor_unusual_share:ratio1w_offset1h"
FAILED: Final = "instance_reason:monitor_crops_failed:increase15m"
DECIDED: Final = "instance:monitor_crops_decided:increase15m"
LATENCY_50: Final = "instance:monitor_decision_latency_seconds:p50_5m"
LATENCY_95: Final = "instance:monitor_decision_latency_seconds:p95_5m"
LATENCY_99: Final = "instance:monitor_decision_latency_seconds:p99_5m"
LATENCY_99_LONG: Final = "instance:monitor_decision_latency_seconds:p99_15m"
COMMIT_99: Final = "instance:monitor_commit_seconds:p99_5m"
CAMERA_LAST_CROP: Final = "instance_camera:monitor_hole_last_crop_timestamp_seconds:max"
LAST_CROP: Final = "instance:monitor_hole_last_crop_timestamp_seconds:max"
CAMERA_ACTIVE: Final = "instance_camera:monitor_active:bool"
ACTIVE: Final = "instance:monitor_active:bool"


def silent_window(settings: Settings) -> float:
    """For how long a hole or a camera may be silent, in seconds; rules cannot see less than `SHORTEST_WINDOW`."""
    return max(settings.alerts.silent_seconds, SHORTEST_WINDOW)


def rules(settings: Settings) -> list[Recording]:
    """In an order in which each rule can use those before it."""
    silent = number(silent_window(settings))
    return [
        Recording(DECIDED_RATE, "sum by (job, instance) (rate(monitor_crops_scored_total[5m]))"),
        Recording(VERDICT_RATE, "sum by (job, instance, verdict) (rate(monitor_verdicts_total[5m]))"),
        Recording(ALARM_SHARE_HOUR, _alarm_share("1h")),
        Recording(ALARM_SHARE_DAY, _alarm_share("1d")),
        Recording(UNUSUAL_HOUR, "sum by (job, instance) (increase(monitor_unusual_crops_total[1h]))"),
        Recording(DECIDED_HOUR, f"sum by (job, instance) (increase(monitor_verdicts_total[1h]))\nand {UNUSUAL_HOUR}"),
        Recording(UNUSUAL_SHARE_HOUR, f"{UNUSUAL_HOUR}\n/ ({DECIDED_HOUR} > 0)"),
        Recording(
            UNUSUAL_SHARE_WEEK,
            # Of sums, so that an hour with few crops has little weight.
            f"sum_over_time({UNUSUAL_HOUR}[1w] offset 1h)\n/ (sum_over_time({DECIDED_HOUR}[1w] offset 1h) > 0)",
        ),
        Recording(DECIDED, increased("monitor_crops_scored_total", FAILING_SECONDS)),
        Recording(FAILED, increased("monitor_crops_failed_total", FAILING_SECONDS, by="reason")),
        Recording(LATENCY_50, _quantile(0.5, "monitor_decision_latency_seconds", "5m")),
        Recording(LATENCY_95, _quantile(0.95, "monitor_decision_latency_seconds", "5m")),
        Recording(LATENCY_99, _quantile(0.99, "monitor_decision_latency_seconds", "5m")),
        Recording(LATENCY_99_LONG, _quantile(0.99, "monitor_decision_latency_seconds", "15m")),
        Recording(COMMIT_99, _quantile(0.99, "monitor_commit_seconds", "5m")),
        Recording(CAMERA_LAST_CROP, "max by (job, instance, camera) (monitor_hole_last_crop_timestamp_seconds)"),
        Recording(LAST_CROP, f"max by (job, instance) ({CAMERA_LAST_CROP})"),
        Recording(CAMERA_ACTIVE, f"time() - {CAMERA_LAST_CROP} <= bool {silent}"),
        Recording(ACTIVE, f"max by (job, instance) ({CAMERA_ACTIVE})"),
    ]


def _alarm_share(window: str) -> str:
    return (
        f'sum by (job, instance) (increase(monitor_verdicts_total{{verdict="proliv"}}[{window}]))\n'
        f"/ (sum by (job, instance) (increase(monitor_verdicts_total[{window}])) > 0)"
    )


def _quantile(quantile: float, histogram: str, window: str) -> str:
    return f"histogram_quantile({number(quantile)}, sum by (job, instance, le) (rate({histogram}_bucket[{window}])))"
