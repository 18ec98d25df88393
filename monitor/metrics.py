"""Every Prometheus metric, its name and its help; nothing else in the program declares one.

Labels are bounded: detector, model, verdict, queue and a refusal's reason, never a file name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from monitor import __version__
from monitor.dataset import Label
from monitor.errors import AddressInUseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from monitor.drift import Drift, GroupDrift
    from monitor.ensemble import ActiveModel
    from monitor.pipeline import Work
    from monitor.quality import Quality
    from monitor.store.summaries import ThresholdOrigin

MSE_BUCKETS: Final = tuple(base * 10.0**exponent for exponent in range(-5, 0) for base in (1, 2, 5))
SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
MOST_HOLES: Final = 256
"""Of so many holes drift is published, whatever numbers are in the names of files."""


class Metrics:
    """The daemon's metrics in a registry of their own, so that two of them in one process do not mix."""

    def __init__(self) -> None:
        """Declare every metric."""
        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.seen = Counter("monitor_crops_seen", "Crops that were taken up for reading.", **own)
        self.scored = Counter("monitor_crops_scored", "Crops with at least one committed decision.", **own)
        self.failed = Counter("monitor_crops_failed", "Crops that could not be scored, by reason.", ["reason"], **own)
        self.retried = Counter(
            "monitor_crops_retried", "Readings put off because the file was not complete yet.", **own
        )
        self.decisions = Counter(
            "monitor_decisions",
            "Committed decisions, by detector and verdict.",
            ["detector", "verdict"],
            **own,
        )
        self.verdicts = Counter("monitor_verdicts", "Final decisions, by verdict.", ["verdict"], **own)
        self.mse = Histogram(
            "monitor_mse",
            "Mean squared reconstruction error of scored crops, in squared intensity (0-1).",
            ["detector"],
            buckets=MSE_BUCKETS,
            **own,
        )
        self.threshold = Gauge(
            "monitor_threshold",
            "The active threshold, on the detector's deciding score.",
            ["detector"],
            **own,
        )
        self.queue_depth = Gauge(
            "monitor_queue_depth", "What waits between two stages: paths, or batches.", ["queue"], **own
        )
        self.latency = Histogram(
            "monitor_decision_latency_seconds",
            "Seconds from a file's completion to its committed decision.",
            buckets=SECONDS_BUCKETS,
            **own,
        )
        self.last_scored = Gauge(
            "monitor_last_scored_timestamp_seconds",
            "When a decision was last committed, in Unix time.",
            **own,
        )
        self.store_failures = Counter("monitor_store_failures", "Commits that failed and are tried again.", **own)
        self.model = Gauge(
            "monitor_model_info", "1 for each active model.", ["detector", "model", "fingerprint"], **own
        )
        self._declare_quality(own)
        self._declare_drift(own)
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}
        self.build = Gauge("monitor_build_info", "1, with the program's version.", ["version"], **own)
        self.build.labels(__version__).set(1)
        for verdict in Label:
            # A series that begins at 0 lets the first proliv show up in Prometheus' rates, here and further down.
            self.verdicts.labels(verdict)

    def _declare_quality(self, own: Any) -> None:
        rate, window = ["detector", "window"], ["window"]
        ends = "of the 95 % interval of monitor_tpr.", "of the 95 % interval of monitor_tnr."
        self.tpr = Gauge("monitor_tpr", "Caught share of proliv in operation, from labelled crops.", rate, **own)
        self.tpr_low = Gauge("monitor_tpr_low", f"Lower end {ends[0]}", rate, **own)
        self.tpr_high = Gauge("monitor_tpr_high", f"Upper end {ends[0]}", rate, **own)
        self.tnr = Gauge("monitor_tnr", "Passed share of ne_proliv in operation, from labelled crops.", rate, **own)
        self.tnr_low = Gauge("monitor_tnr_low", f"Lower end {ends[1]}", rate, **own)
        self.tnr_high = Gauge("monitor_tnr_high", f"Upper end {ends[1]}", rate, **own)
        self.labelled = Gauge(
            "monitor_labelled_crops", "Labelled crops of the window, by label.", ["label", "window"], **own
        )
        self.coverage = Gauge("monitor_alarm_label_coverage", "Labelled share of the alarms, 0-1.", window, **own)
        self.audited = Gauge("monitor_audited_crops", "Labelled crops of random draws.", window, **own)
        self.fallback = Gauge(
            "monitor_threshold_fallback",
            "1 where the active threshold was chosen without labelled proliv, for there were too few; else 0.",
            ["detector"],
            **own,
        )
        self.threshold_time = Gauge(
            "monitor_threshold_timestamp_seconds",
            "When the active threshold was chosen, in Unix time.",
            ["detector"],
            **own,
        )
        self.calibrations = Counter(
            "monitor_calibrations",
            "Scheduled calibrations, by what became of the new threshold and why.",
            ["detector", "outcome", "reason"],
            **own,
        )
        self.scheduled_runs = Counter(
            "monitor_scheduled_runs", "Ended runs of scheduled jobs, by outcome.", ["job", "outcome"], **own
        )

    def _declare_drift(self, own: Any) -> None:
        group = ["detector", "camera", "hole"]
        self.drift_shift = Gauge(
            "monitor_drift_shift_sigmas",
            "How far the median score moved from where it was after the calibration, in robust sigmas.",
            group,
            **own,
        )
        self.drift_detected = Gauge("monitor_drift_detected", "1 where the scores drift, else 0.", group, **own)
        self.drift_stability = Gauge(
            "monitor_drift_stability_index",
            "Population stability index of the recent scores of all holes together.",
            ["detector"],
            **own,
        )

    def serve(self, host: str, port: int) -> tuple[WSGIServer, Thread]:
        """Serve the metrics over HTTP; port 0 takes a free one. Raises `AddressInUseError`."""
        try:
            return start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise AddressInUseError(
                f"metrics.host {host}, metrics.port {port}: cannot be bound: {error.strerror or error}; choose "
                "another port, or stop the program that has it"
            ) from None

    def show_models(self, active: Sequence[ActiveModel]) -> None:
        """Publish the active models and thresholds in place of the ones before."""
        self.model.clear()
        self.threshold.clear()
        for model in active:
            self.model.labels(model.detector.name, model.name, model.fingerprint).set(1)
            self.threshold.labels(model.detector.name).set(model.threshold)
            for verdict in Label:
                self.decisions.labels(model.detector.name, verdict)

    def show_quality(self, windows: Sequence[Quality]) -> None:
        """Publish the rates over all cameras and holes; a rate without labelled crops has no series."""
        rates = {
            (one.detector, quality.window.name): one
            for quality in windows
            for one in quality.rates
            if one.group == "all"
        }
        tpr = {labels: one.tpr for labels, one in rates.items() if one.tpr}
        tnr = {labels: one.tnr for labels, one in rates.items() if one.tnr}
        self._show(self.tpr, {labels: one.rate for labels, one in tpr.items()})
        self._show(self.tpr_low, {labels: one.low for labels, one in tpr.items()})
        self._show(self.tpr_high, {labels: one.high for labels, one in tpr.items()})
        self._show(self.tnr, {labels: one.rate for labels, one in tnr.items()})
        self._show(self.tnr_low, {labels: one.low for labels, one in tnr.items()})
        self._show(self.tnr_high, {labels: one.high for labels, one in tnr.items()})
        names = {one.window.name: one for one in windows}
        labelled = [
            ((label.value, name), count)
            for name, one in names.items()
            for label, count in ((Label.PROLIV, one.proliv), (Label.NE_PROLIV, one.ne_proliv))
        ]
        self._show(self.labelled, dict(labelled))
        self._show(self.coverage, {(name,): one.coverage for name, one in names.items() if one.coverage is not None})
        self._show(self.audited, {(name,): one.audited for name, one in names.items()})

    def show_drift(self, drifts: Sequence[Drift]) -> None:
        """Publish what was tested, of at most `MOST_HOLES` holes of each model, those with the most crops."""
        tested = [(one.detector, group) for one in drifts for group in _bounded(one) if group.tested]
        keys = [(detector, group.camera, _hole_name(group)) for detector, group in tested]
        self._show(self.drift_shift, {key: group.shift or 0.0 for key, (_, group) in zip(keys, tested, strict=True)})
        self._show(self.drift_detected, {key: group.drifting for key, (_, group) in zip(keys, tested, strict=True)})
        self._show(
            self.drift_stability,
            {(detector,): group.stability or 0.0 for detector, group in tested if group.everything},
        )

    def show_thresholds(self, origins: Sequence[ThresholdOrigin]) -> None:
        """Publish where the active thresholds come from."""
        self._show(self.fallback, {(one.detector,): one.fallback for one in origins})
        self._show(self.threshold_time, {(one.detector,): one.created_at.timestamp() for one in origins})

    def count_calibration(self, detector: str, outcome: str, reason: str) -> None:
        """Count a scheduled calibration; ``outcome`` and ``reason`` are machine-readable words, of a bounded number."""
        self.calibrations.labels(detector, outcome, reason).inc()

    def count_run(self, job: str, outcome: str) -> None:
        """Count the end of a scheduled run; both are machine-readable words."""
        self.scheduled_runs.labels(job, outcome).inc()

    def _show(self, gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
        """Publish a gauge's series in place of those before; one that goes on to exist is never missing meanwhile."""
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get(gauge, set()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge] = set(values)

    def count(self, work: Work, new_models: set[int], committed_at: float) -> None:
        """Count one decided crop; ``new_models``: ids of the models whose decision was not stored before."""
        self.scored.inc()
        self.last_scored.set(committed_at)
        assert work.content is not None
        assert work.final is not None
        self.verdicts.labels(work.final.verdict).inc()
        self.latency.observe(max(0.0, committed_at - work.content.ctime_ns / 1e9))
        for decision in work.decisions:
            if decision.model.id in new_models:
                name = decision.model.detector.name
                self.decisions.labels(name, decision.verdict).inc()
                self.mse.labels(name).observe(decision.mse)


def _bounded(drift: Drift) -> list[GroupDrift]:
    holes = [group for group in drift.groups if not group.everything]
    most = sorted(holes, key=lambda group: (group.crops, group.baseline_crops), reverse=True)[:MOST_HOLES]
    return [*(group for group in drift.groups if group.everything), *most]


def _hole_name(group: GroupDrift) -> str:
    if group.everything:
        return "all"
    return "unknown" if group.hole < 0 else str(group.hole)
