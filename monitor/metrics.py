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
    from collections.abc import Sequence
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from monitor.ensemble import ActiveModel
    from monitor.pipeline import Work

MSE_BUCKETS: Final = tuple(base * 10.0**exponent for exponent in range(-5, 0) for base in (1, 2, 5))
SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


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
        self.build = Gauge("monitor_build_info", "1, with the program's version.", ["version"], **own)
        self.build.labels(__version__).set(1)
        for verdict in Label:
            # A series that begins at 0 lets the first proliv show up in Prometheus' rates, here and further down.
            self.verdicts.labels(verdict)

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
