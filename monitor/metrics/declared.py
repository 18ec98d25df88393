"""Declares every Prometheus metric with its name and help text, those of alarms in `alarm_metrics`; nothing else does.

Every label has a bounded number of values: detectors, models, verdicts, queues, reasons and the like, and cameras and
holes as `monitor.metrics.holes` limits them. A file name is never a label.
"""

from __future__ import annotations

import platform
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from monitor import __version__
from monitor.metrics.alarm_metrics import ALARM_KINDS, WITHHELD, AlarmMetrics
from monitor.metrics.histograms import ModelHistogram
from monitor.words import Label, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
# The outcomes of scans and of scheduled runs.
OUTCOMES: Final = ("done", "failed")
TASKS: Final = ("nightly", "retention", "retrain")
# What deletes files: the tidier of the inbox, and retention.
DELETING: Final = ("tidying", "retention")
TIDIED: Final = ("deleted", "archived", "changed", "failed")
# Why a crop has no decision: because of the file, of a detector, or of the database.
FAILURES: Final = (*Reason, "too_small", "detector_refused", "detector_error", "not_recorded")
COMMIT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Declared(AlarmMetrics):
    """The daemon's metrics in their own registry, so that several daemons in one process stay apart."""

    def __init__(self) -> None:
        """Declare every metric."""
        # Without this the library doubles the series, by the time when each began, which no query here uses.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's
        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self._declare_crops(own)
        self._declare_models(own)
        self._declare_holes(own)
        self._declare_quality(own)
        self._declare_drift(own)
        self._declare_alarms(own)
        self._declare_service(own)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}
        self.build.labels(__version__, platform.python_version()).set(1)
        self._begin()

    def _begin(self) -> None:
        """Start the series with known labels at 0: Prometheus sees no increase in a series that starts with 1."""
        for verdict in Label:
            self.verdicts.labels(verdict)
        for reason in FAILURES:
            self.failed.labels(reason)
        for task, outcome in product(TASKS, OUTCOMES):
            self.scheduled_runs.labels(task, outcome)
        for outcome in TIDIED:
            self.tidied.labels(outcome)
        for kind in ALARM_KINDS:
            self.alarms_opened.labels(kind)
        for reason in WITHHELD:
            self.alarms_withheld.labels(reason)
        for task in DELETING:
            self.deletion_stopped.labels(task)

    def _declare_crops(self, own: Any) -> None:
        self.seen = Counter("monitor_crops_seen", "Crops that were taken up for reading.", **own)
        self.scored = Counter("monitor_crops_scored", "Crops with at least one committed decision.", **own)
        self.failed = Counter("monitor_crops_failed", "Crops that could not be scored, by reason.", ["reason"], **own)
        self.retried = Counter(
            "monitor_crops_retried", "Readings put off because the file was not complete yet.", **own
        )
        decision = ["detector", "verdict"]
        self.decisions = Counter("monitor_decisions", "Committed decisions, by detector and verdict.", decision, **own)
        self.verdicts = Counter("monitor_verdicts", "Final decisions, by verdict.", ["verdict"], **own)
        self.unusual = Counter(
            "monitor_unusual_crops", "Crops decided ne_proliv although a model calls them proliv.", **own
        )
        self.latency = Histogram(
            "monitor_decision_latency_seconds",
            "Seconds from a file's completion to its committed decision.",
            buckets=LATENCY_BUCKETS,
            **own,
        )
        self.last_scored = Gauge(
            "monitor_last_scored_timestamp_seconds", "When a decision was last committed, in Unix time.", **own
        )
        self.backlog = Gauge("monitor_backlog_crops", "Files in the inbox that wait for a decision.", **own)
        self.backlog_age = Gauge(
            "monitor_backlog_oldest_seconds",
            "Seconds since the last change of the file that has waited longest for a decision; 0 where none waits.",
            **own,
        )

    def _declare_models(self, own: Any) -> None:
        self.score = ModelHistogram(
            "monitor_score", "Deciding scores of crops; the buckets fit the detector's model.", self.registry
        )
        self.mse = ModelHistogram(
            "monitor_mse",
            "Mean squared error of scored crops against their reconstruction, or against the mean crop if the detector "
            "makes none, in squared intensity (0-1); the buckets fit the detector's model.",
            self.registry,
        )
        self.threshold = Gauge(
            "monitor_threshold", "The active threshold, on the detector's deciding score.", ["detector"], **own
        )
        self.model = Gauge(
            "monitor_model_info", "1 for each active model.", ["detector", "model", "fingerprint"], **own
        )
        self.trained = Gauge(
            "monitor_model_trained_timestamp_seconds",
            "When the active model was trained, in Unix time.",
            ["detector", "model"],
            **own,
        )
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

        self.retrainings = Counter(
            "monitor_retrainings",
            "Scheduled trainings from labels, by what became of the new model and why.",
            ["detector", "outcome", "reason"],
            **own,
        )

    def _declare_holes(self, own: Any) -> None:
        hole = ["camera", "hole"]
        self.hole_crops = Counter(
            "monitor_hole_crops", "Final decisions, by camera, hole and verdict.", [*hole, "verdict"], **own
        )
        self.hole_last_crop = Gauge(
            "monitor_hole_last_crop_timestamp_seconds",
            "When the last crop of the hole was decided, in Unix time.",
            hole,
            **own,
        )
        self.hole_score = Gauge("monitor_hole_last_score", "The score of the hole's last final decision.", hole, **own)
        self.hole_threshold = Gauge(
            "monitor_hole_last_threshold", "The threshold that monitor_hole_last_score was compared with.", hole, **own
        )
        self.hole_proliv = Gauge(
            "monitor_hole_last_proliv", "1 where the hole's last final decision was proliv, else 0.", hole, **own
        )
        self.intervals = Gauge(
            "monitor_intervals",
            "Expected holes times intervals of the window: all, and those whose crop came, came late or is missing.",
            ["camera", "state"],
            **own,
        )
        self.hole_missing = Gauge(
            "monitor_hole_missing_intervals",
            "Intervals of the window in which no crop of an expected hole was decided on.",
            hole,
            **own,
        )
        self.expected_holes = Gauge(
            "monitor_expected_holes", "How many holes are expected of the camera.", ["camera"], **own
        )

    def _declare_quality(self, own: Any) -> None:
        rate, window = ["detector", "window"], ["window"]
        ends = "of the 95 % interval of monitor_tpr.", "of the 95 % interval of monitor_tnr."
        self.tpr = Gauge("monitor_tpr", "Caught share of proliv in operation, from labelled crops.", rate, **own)
        self.tpr_low = Gauge("monitor_tpr_low", f"Lower end {ends[0]}", rate, **own)
        self.tpr_high = Gauge("monitor_tpr_high", f"Upper end {ends[0]}", rate, **own)
        self.tnr = Gauge("monitor_tnr", "Passed share of ne_proliv in operation, from labelled crops.", rate, **own)
        self.tnr_low = Gauge("monitor_tnr_low", f"Lower end {ends[1]}", rate, **own)
        self.tnr_high = Gauge("monitor_tnr_high", f"Upper end {ends[1]}", rate, **own)
        self.confusion = Gauge(
            "monitor_confusion_crops",
            "Labelled crops of the window, by label and by the verdict of then; each counts once.",
            [*rate, "label", "verdict"],
            **own,
        )
        self.labelled = Gauge(
            "monitor_labelled_crops", "Labelled crops of the window, by label.", ["label", "window"], **own
        )
        self.coverage = Gauge("monitor_alarm_label_coverage", "Labelled share of the alarms, 0-1.", window, **own)
        self.audited = Gauge("monitor_audited_crops", "Labelled crops of random draws.", window, **own)

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

    def _declare_service(self, own: Any) -> None:
        self.queue_depth = Gauge(
            "monitor_queue_depth", "What waits between two stages: paths, or batches.", ["queue"], **own
        )
        self.scans = Counter("monitor_scans", "Looks over a whole folder, by outcome.", ["folder", "outcome"], **own)
        self.last_scan = Gauge(
            "monitor_last_scan_timestamp_seconds",
            "When a look over the whole folder last ended well, in Unix time.",
            ["folder"],
            **own,
        )
        self.file_events = Gauge(
            "monitor_file_events",
            "1 while the kernel tells of new files in the folder and its sub-folders at once, "
            "0 while only scans find them in some.",
            ["folder"],
            **own,
        )
        self.commit = Histogram("monitor_commit_seconds", "Seconds that a commit took.", buckets=COMMIT_BUCKETS, **own)
        self.store_failures = Counter("monitor_store_failures", "Commits that failed and are tried again.", **own)
        self.database_size = Gauge("monitor_database_size_bytes", "Bytes that the database takes.", **own)
        self.disk_free = Gauge(
            "monitor_disk_free_bytes", "Bytes that are free on the file system of a folder.", ["folder"], **own
        )
        self.scheduled_runs = Counter(
            "monitor_scheduled_runs", "Ended runs of scheduled tasks, by outcome.", ["task", "outcome"], **own
        )
        self.tidied = Counter(
            "monitor_tidied_files", "Decided files that left the inbox, or did not, by outcome.", ["outcome"], **own
        )
        self.deletion_stopped = Gauge(
            "monitor_deletion_stopped",
            "1 while nothing is deleted because the inbox or the database may not be what it was, else 0.",
            ["task"],
            **own,
        )
        self.pruned = Counter("monitor_pruned_crops", "Crops whose decisions were deleted for their age.", **own)
        self.last_success = Gauge(
            "monitor_run_last_success_timestamp_seconds",
            "When the last run of a scheduled task ended that did not fail, in Unix time.",
            ["task"],
            **own,
        )
        self.build = Gauge(
            "monitor_build_info", "1, with the versions of the program and of Python.", ["version", "python"], **own
        )

    def _show(self, gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
        """Replace a gauge's series; one that remains is never missing in between."""
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get(gauge, set()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge] = set(values)
