"""What an alert is tried on: made-up series, and the alerts that must then fire, by promtool.

Time begins at 0 and series have a value each ``interval``, in promtool's words: ``0+60x90`` is 0, 60, 120 …, 91 values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TARGET = 'job="monitor", instance="m:9464"'

LONG_AGO = -1_000_000


@dataclass(frozen=True)
class Case:
    """``fires``: the labels of the alerts that must fire ``at`` that time, beside those of every alert."""

    alert: str
    what: str
    series: dict[str, str]
    at: str
    fires: tuple[dict[str, str], ...] = ()
    interval: str = "1m"

    def as_test(self, *, holds: bool) -> dict[str, Any]:
        """As promtool reads it; an alert that ``holds`` its condition for a time must have been pending before."""
        common = {"alertname": self.alert, "alertstate": "firing", "job": "monitor", "instance": "m:9464"}
        samples = [
            {"labels": "ALERTS{" + ", ".join(f'{k}="{v}"' for k, v in {**common, **one}.items()) + "}", "value": 1}
            for one in self.fires
        ]
        query = {
            "expr": f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}',
            "eval_time": self.at,
            "exp_samples": samples,
        }
        # What fires at once after a moment's trouble would wake people for nothing.
        waited = {
            "expr": f'count(count_over_time(ALERTS{{alertname="{self.alert}", alertstate="pending"}}[10d]))',
            "eval_time": self.at,
            "exp_samples": [{"labels": "{}", "value": len(self.fires)}],
        }
        return {
            "name": f"{self.alert}: {self.what}",
            "interval": self.interval,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [query, waited] if self.fires and holds else [query],
        }


def metric(name: str, **labels: str) -> str:
    more = "".join(f', {key}="{value}"' for key, value in labels.items())
    return f"{name}{{{TARGET}{more}}}"


def running(minutes: int = 600, since: float = LONG_AGO) -> dict[str, str]:
    """A daemon that is scraped and was started ``since``."""
    return {metric("up"): f"1x{minutes}", metric("process_start_time_seconds"): f"{since}x{minutes}"}


def last_crop(hole: str, values: str, camera: str = "C") -> dict[str, str]:
    return {metric("monitor_hole_last_crop_timestamp_seconds", camera=camera, hole=hole): values}


def failures(reason: str, values: str) -> dict[str, str]:
    return {metric("monitor_crops_failed_total", reason=reason): values}


WARNING, CRITICAL, INFO = {"severity": "warning"}, {"severity": "critical"}, {"severity": "info"}

DAY = 24 * 60

NIGHTLY = metric("monitor_run_last_success_timestamp_seconds", task="nightly")

RETRAIN = metric("monitor_run_last_success_timestamp_seconds", task="retrain")

RETENTION = metric("monitor_run_last_success_timestamp_seconds", task="retention")

OLDEST_ALARM = metric("monitor_alarms_oldest_open_seconds")

BUCKET = "monitor_decision_latency_seconds_bucket"

REFUSED = metric("monitor_calibrations_total", detector="ae", outcome="refused", reason="large_jump")

UNCHANGED = metric("monitor_calibrations_total", detector="ae", outcome="unchanged", reason="")

CHOSEN = metric("monitor_threshold_timestamp_seconds", detector="ae")

GIB = 2**30


def rate(name: str, value: float, window: str = "30d", detector: str = "decision") -> dict[str, str]:
    return {metric(name, detector=detector, window=window): f"{value}x600"}


def drift(hole: str, detected: str, shift: float = 3.2, camera: str = "C") -> dict[str, str]:
    labels = {"detector": "ae", "camera": camera, "hole": hole}
    return {
        metric("monitor_drift_shift_sigmas", **labels): f"{shift}x600",
        metric("monitor_drift_detected", **labels): detected,
    }


def latency(quick: str, crops: str) -> dict[str, str]:
    """``quick``: how many were decided within a second; the others of the crops took up to a minute."""
    return {
        metric(BUCKET, le="1"): quick,
        metric(BUCKET, le="60"): crops,
        metric(BUCKET, le="+Inf"): crops,
        metric("monitor_crops_scored_total"): crops,
    }


AE = {"detector": "ae"}
