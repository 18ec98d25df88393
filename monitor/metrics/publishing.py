"""Publishes what happens in the daemon, and the figures that it reads now and then, as metrics."""

from __future__ import annotations

from collections import Counter
from math import nan
from threading import Lock
from typing import TYPE_CHECKING, Final

from monitor.metrics.buckets import bucket_bounds
from monitor.metrics.declared import OUTCOMES, Declared
from monitor.metrics.holes import EVERYTHING, Holes
from monitor.metrics.server import MetricsServer
from monitor.store.alarms import UNUSUAL
from monitor.store.runs import NIGHTLY
from monitor.words import PHASES, Label, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from monitor.metrics.holes import Pair
    from monitor.quality.completeness import WindowCompleteness
    from monitor.quality.drift.groups import GroupDrift, ModelDrift
    from monitor.quality.operation import Quality
    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.record import Committed
    from monitor.scoring.vote import FinalDecision
    from monitor.store.alarms import RunningCounts
    from monitor.store.calibrations import ThresholdOrigin
    from monitor.store.decisions import Raised
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRanges
    from monitor.store.selftests import SelftestRow
    from monitor.store.traffic import LastCrop

# The label "task" of jobs that have another name in the store.
TASK_OF_JOB: Final = {NIGHTLY: "nightly"}


class Metrics(Declared):
    """The metrics, with a method for each kind of event and figure; threads may share them."""

    def __init__(self, holes: Holes | None = None) -> None:
        """``holes`` limits which cameras and holes have their own series."""
        super().__init__()
        self.holes = holes or Holes()
        self._hole_lock = Lock()
        self._last_crops: dict[Pair, float] = {}
        self._heartbeat_lock = Lock()
        self._heartbeats: dict[str, float] = {}
        for pair in self.holes.expected:
            self._begin_hole(pair)

    def serve(self, host: str, port: int, certificate: tuple[Path, Path] | None = None) -> MetricsServer:
        """Serve the metrics over HTTP, or HTTPS with (certificate, key); see `MetricsServer`."""
        return MetricsServer(self.registry, host, port, certificate)

    def show_models(self, active: Sequence[ActiveModel], ranges: Mapping[int, ReferenceRanges]) -> None:
        """Publish the active models and thresholds in place of the previous ones.

        ``ranges``: those of each model's reference scores, by the model's id; they set the buckets of the histograms.
        """
        names = [model.detector.name for model in active]
        self._show(self.model, {(model.detector.name, model.name, model.fingerprint): 1 for model in active})
        self._show(self.threshold, {(model.detector.name,): model.threshold for model in active})
        for name in names:
            for verdict in Label:
                self.decisions.labels(name, verdict)
            for outcome in ("activated", "unchanged", "shadow"):
                self.calibrations.labels(name, outcome, "")
            for refusal in Refusal:
                self.calibrations.labels(name, "refused", refusal.value)
        self.score.use({one.detector.name: (one.fingerprint, bucket_bounds(ranges[one.id].score)) for one in active})
        self.mse.use({one.detector.name: (one.fingerprint, bucket_bounds(ranges[one.id].mse)) for one in active})

    def show_trained(self, active: Sequence[ModelRow]) -> None:
        """Publish when the active models were trained."""
        self._show(self.trained, {(one.detector, one.name): one.trained_at.timestamp() for one in active})

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
        counts = [(labels, one.confusion.cells) for labels, one in rates.items()]
        self._show(self.confusion, {(*labels, *cell): count for labels, cells in counts for cell, count in cells})
        names = {one.window.name: one for one in windows}
        labelled = [
            ((label.value, name), count)
            for name, one in names.items()
            for label, count in ((Label.PROLIV, one.proliv), (Label.NE_PROLIV, one.ne_proliv))
        ]
        self._show(self.labelled, dict(labelled))
        self._show(self.coverage, {(name,): one.coverage for name, one in names.items() if one.coverage is not None})
        self._show(self.audited, {(name,): one.audited for name, one in names.items()})

    def show_drift(self, drifts: Sequence[ModelDrift]) -> None:
        """Publish the drift of all tested groups; of the holes without their own series, that of the worst one."""
        tested = [
            ((one.detector, *self._group(group)), group)
            for one in drifts
            # The busiest first: if holes get their labels here, the busiest ones do.
            for group in sorted(one.groups, key=lambda group: (group.crops, group.baseline_crops), reverse=True)
            if group.tested
        ]
        shifts: dict[tuple[str, ...], float] = {}
        drifting: dict[tuple[str, ...], float] = {}
        for labels, group in tested:
            shift = round(group.shift or 0.0, 3)
            shifts[labels] = max(shifts.get(labels, shift), shift, key=abs)
            drifting[labels] = max(drifting.get(labels, 0.0), float(group.drifting))
        self._show(self.drift_shift, shifts)
        self._show(self.drift_detected, drifting)
        everything: dict[tuple[str, ...], float] = {
            labels[:1]: group.stability or 0.0 for labels, group in tested if group.everything
        }
        self._show(self.drift_stability, everything)

    def _group(self, group: GroupDrift) -> Pair:
        return EVERYTHING if group.everything else self.holes.labels(group.camera, group.hole)

    def show_thresholds(self, origins: Sequence[ThresholdOrigin]) -> None:
        """Publish when the active thresholds were chosen, and which are fallbacks."""
        self._show(self.fallback, {(one.detector,): one.fallback for one in origins})
        self._show(self.threshold_time, {(one.detector,): one.created_at.timestamp() for one in origins})

    def show_runs(self, successes: Mapping[str, datetime]) -> None:
        """Publish when each scheduled job last succeeded."""
        self._show(self.last_success, {(TASK_OF_JOB.get(job, job),): at.timestamp() for job, at in successes.items()})

    def show_space(self, database_bytes: int, free_bytes: Mapping[str, int]) -> None:
        """Publish the size of the database and the free bytes on the disk of each folder."""
        self.database_size.set(database_bytes)
        self._show(self.disk_free, {(folder,): count for folder, count in free_bytes.items()})

    def show_backlog(self, waiting: Callable[[], float], oldest_seconds: Callable[[], float]) -> None:
        """Publish how many files wait for a decision and for how long; both are called at each scrape."""
        self.backlog.set_function(waiting)
        self.backlog_age.set_function(oldest_seconds)

    def show_file_events(self, folder: str, come: Callable[[], bool]) -> None:
        """Publish whether the kernel tells of the files in a folder; ``come`` is called at each scrape."""
        self.file_events.labels(folder).set_function(come)

    def count_alarms(self, raised: Sequence[Raised]) -> None:
        """Count alarms that were opened, and those of them that nobody is told of."""
        for alarm in raised:
            self.alarms_opened.labels(alarm.kind).inc()
            if alarm.sign == UNUSUAL:
                self.alarms_unusual.inc()
            if alarm.withheld is not None:
                self.alarms_withheld.labels(alarm.withheld).inc()

    def show_alarms(self, counts: RunningCounts, now: datetime, *, pauses: int) -> None:
        """Publish how many alarms are not closed, how long the oldest open one waits, and how many pauses run."""
        self.alarms_running.labels("open").set(counts.open)
        self.alarms_running.labels("acknowledged").set(counts.acknowledged)
        self.alarms_running.labels("withheld").set(counts.withheld)
        oldest = counts.oldest_open_at
        self.alarms_oldest.set(0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
        self.alarm_pauses.set(pauses)

    def show_cast(self, phase: str | None, *, in_doubt: bool) -> None:
        """Publish the phase of the cast, None where it is not known, and whether what was said of it is in doubt."""
        for one in (*PHASES, None):
            self.cast_phase.labels(one or "none").set(one == phase)
        self.cast_in_doubt.set(in_doubt)

    def show_selftest(self, last: SelftestRow | None, passed_at: datetime | None, now: datetime) -> None:
        """Publish how the last self-test ended, nothing of one that goes on, and when the last one passed."""
        if passed_at is not None:
            self.selftest_passed_at.set(passed_at.timestamp())
        if last is None or (ended := last.ended_by(now)) is None:
            return
        self.selftest_at.set(ended.timestamp())
        self.selftest_passed.set(bool(last.passed))
        self.selftest_seconds.set(nan if last.seconds is None else last.seconds)

    def count_message(self, sink: str, outcome: str) -> None:
        """Count an attempt to deliver a message; ``outcome``: delivered, or failed."""
        self.alarm_messages.labels(sink, outcome).inc()

    def show_messages(self, due: Mapping[str, tuple[int, float]]) -> None:
        """Publish how many messages wait for each sink, and for how many seconds the oldest of them does."""
        self._show(self.alarm_messages_due, {(sink,): count for sink, (count, _) in due.items()})
        self._show(self.alarm_messages_oldest, {(sink,): seconds for sink, (_, seconds) in due.items()})

    def expect_heartbeats(self, seconds: Mapping[str, float], now: float) -> None:
        """Publish how often each sink that wants heartbeats gets one; ``now``, in Unix time, is when new ones begin."""
        with self._heartbeat_lock:
            self._heartbeats = {sink: self._heartbeats.get(sink, now) for sink in seconds}
            self._show(self.last_heartbeat, {(sink,): at for sink, at in self._heartbeats.items()})
            self._show(self.heartbeat_interval, {(sink,): interval for sink, interval in seconds.items()})

    def show_heartbeat(self, sink: str, now: float) -> None:
        """Publish that a sink took a heartbeat; nothing of one that wants none any more."""
        with self._heartbeat_lock:
            if sink in self._heartbeats:
                self._heartbeats[sink] = now
                self.last_heartbeat.labels(sink).set(now)

    def show_deletion(self, task: str, stopped: bool) -> None:
        """Publish whether a task that deletes files has stopped because it is in doubt what they are."""
        self.deletion_stopped.labels(task).set(stopped)

    def restore_holes(self, rows: Sequence[LastCrop], now: datetime) -> None:
        """Publish the last crop of each hole as the store has it; busier holes get their labels first."""
        for row in sorted(rows, key=lambda row: row.crops, reverse=True):
            # A time after now was stored by a clock that ran ahead.
            at = min(row.decided_at.timestamp(), now.timestamp())
            pair = self.holes.labels(row.camera, row.hole)
            with self._hole_lock:
                # A crop decided since the start is newer, whatever the clock said before.
                if at > self._last_crops.get(pair, 0.0):
                    self._show_hole(pair, at, row.score, row.threshold, row.verdict)

    def show_completeness(self, found: WindowCompleteness | None) -> None:
        """Publish how many of the expected crops came; without expectations there are no series."""
        intervals: Counter[tuple[str, ...]] = Counter()
        missing: Counter[tuple[str, ...]] = Counter()
        expected: Counter[tuple[str, ...]] = Counter()
        for one in found.holes if found else ():
            pair = self.holes.labels(one.camera, one.hole)
            missing[pair] += one.missing
            expected[pair[:1]] += 1
            intervals.update({(pair[0], state): count for state, count in one.counts.items()})
        self._show(self.intervals, intervals)
        self._show(self.hole_missing, missing)
        self._show(self.expected_holes, expected)

    def count_calibration(self, detector: str, outcome: str, reason: str) -> None:
        """Count a scheduled calibration; ``outcome`` and ``reason`` are words from small fixed sets."""
        self.calibrations.labels(detector, outcome, reason).inc()

    def count_retraining(self, detector: str, outcome: str, reason: str) -> None:
        """Count a scheduled training from labels; ``outcome`` and ``reason`` are words from small fixed sets."""
        self.retrainings.labels(detector, outcome, reason).inc()

    def count_run(self, job: str, outcome: str) -> None:
        """Count the end of a scheduled run; ``outcome`` is one of `OUTCOMES`."""
        self.scheduled_runs.labels(TASK_OF_JOB.get(job, job), outcome).inc()

    def count_scan(self, folder: str, now: float, *, whole: bool) -> None:
        """Count a scan of a folder; ``whole``: all of it could be read. ``now``: Unix time."""
        for outcome in OUTCOMES:
            self.scans.labels(folder, outcome)
        self.scans.labels(folder, OUTCOMES[not whole]).inc()
        if whole:
            self.last_scan.labels(folder).set(now)

    def count_committed(self, commit: Committed) -> None:
        """Count the crops of a committed batch that have a new decision, in their order."""
        if not commit.new:
            return
        batch = commit.batch
        finals, decisions = batch.final.listed, batch.decisions
        self.scored.inc(len(commit.new))
        if batch.unusual.any():
            self.unusual.inc(int(batch.unusual[list(commit.new)].sum()))
        self.last_scored.set(commit.at)
        verdicts: Counter[tuple[str, ...]] = Counter()
        by_detector: Counter[tuple[str, ...]] = Counter()
        hole_crops: Counter[tuple[str, ...]] = Counter()
        last: dict[Pair, FinalDecision] = {}
        for row, new_models in commit.new.items():
            final, looks, identity = finals[row], batch.files.looks[row], batch.files.identities[row]
            assert final is not None
            assert looks is not None
            verdicts[final.verdict,] += 1
            self.latency.observe(max(0.0, commit.at - looks.ctime_ns / 1e9))
            for decision in decisions[row]:
                if decision.model.id in new_models:
                    name = decision.model.detector.name
                    by_detector[name, decision.verdict] += 1
                    self.score.observe(name, decision.score)
                    self.mse.observe(name, decision.mse)
            pair = self.holes.labels(identity.camera, identity.hole)
            hole_crops[*pair, final.verdict] += 1
            last[pair] = final
        at = batch.decided_at.timestamp()
        with self._hole_lock:
            for pair, final in last.items():
                self._show_hole(pair, at, final.score, final.threshold, final.verdict)
        # Looking a series up takes longer than all other counting, so it is done once for each series, not each crop.
        for metric, counts in ((self.verdicts, verdicts), (self.decisions, by_detector), (self.hole_crops, hole_crops)):
            for labels, count in counts.items():
                metric.labels(*labels).inc(count)

    def _show_hole(self, pair: Pair, at: float, score: float, threshold: float, verdict: str) -> None:
        if pair not in self._last_crops:
            self._begin_hole(pair)
        self._last_crops[pair] = at
        self.hole_last_crop.labels(*pair).set(at)
        self.hole_score.labels(*pair).set(score)
        self.hole_threshold.labels(*pair).set(threshold)
        self.hole_proliv.labels(*pair).set(verdict == Label.PROLIV)

    def _begin_hole(self, pair: Pair) -> None:
        for verdict in Label:
            self.hole_crops.labels(*pair, verdict)
