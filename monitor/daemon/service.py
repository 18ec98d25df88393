"""The daemon: its threads, the order in which they start and stop, signals, and word to systemd.

    watchers -> paths -> dispatcher -> batches in the workers -> decider -> batches -> writer

One watcher looks after the inbox and one after the labelled folder, whose crops give their label to what is known and
are otherwise scored and stored like any other; they raise no alarm, are counted nowhere and stay where they are.

Each arrow is a bounded queue: when the writer is slow, everything before it waits, and the scan finds later what
was not taken. Batches form by themselves, because the dispatcher takes all the paths that are waiting while the
workers, which read and score (`monitor.scoring.pools.processes`), are busy. Stopping runs along the arrows: the
watchers end first, then a mark travels through the queues and ends each stage once it has finished what came before, so
that nothing that was taken is lost. Behind the writer, decided files leave the inbox where the configuration says so,
in a thread of their own (`monitor.inbox.tidier`).
"""

from __future__ import annotations

import logging
import os
import signal
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, Queue, SimpleQueue
from typing import TYPE_CHECKING, Final, Literal

from monitor.daemon.batch_queue import BatchQueue
from monitor.daemon.dispatcher import Dispatched
from monitor.daemon.jobs import Jobs
from monitor.daemon.replies import looks_when_read
from monitor.daemon.systemd import SignsOfLife, notify
from monitor.daemon.writer import FIRST_COMMIT_PAUSE_SECONDS, LONGEST_COMMIT_PAUSE_SECONDS, STORED_TOGETHER
from monitor.errors import ExitCode, MonitorError, OutputError, StoreDamagedError, StoreError, StoreRefusedError
from monitor.files.folders import make_folder
from monitor.files.text import printable
from monitor.inbox import labelled as inbox_labelled
from monitor.inbox.backlog import Backlog
from monitor.inbox.messages import Candidate, Done, Incomplete, Stop
from monitor.inbox.quarantine import quarantine
from monitor.inbox.tidier import Tidier
from monitor.inbox.watcher import Watcher
from monitor.labels import rescan
from monitor.metrics import Metrics, refresh
from monitor.metrics.holes import Holes
from monitor.scoring import lookup, pipeline, record
from monitor.scoring import work as scoring_work
from monitor.scoring.ensemble import load_active
from monitor.scoring.pools.processes import Workers
from monitor.store.database.lock import only_daemon
from monitor.threads import TimedThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.metrics.server import MetricsServer
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.work import Work
    from monitor.store.database.engine import Database
    from monitor.store.decisions import Recorded

log = logging.getLogger(__name__)

BATCHES_WAITING: Final = 2
PUT_SECONDS: Final = 0.2
DRAIN_LOOK_SECONDS: Final = 0.2

Happening = Literal["stop", "reload", "dead"]


class Service:
    """Everything that `monitor run` runs."""

    def __init__(self, configuration: Configuration, database: Database, registry: Registry) -> None:
        self.configuration = configuration
        self.database = database
        self.registry = registry
        settings = configuration.settings
        self.metrics = Metrics(Holes.of(settings))
        self._server: MetricsServer | None = None
        self.ensemble: Ensemble | None = None
        self._workers: Workers | None = None
        self._paths: BatchQueue[Candidate | None] = BatchQueue(settings.pipeline.queue_size)
        self._dispatched: Queue[Dispatched | None] = Queue(BATCHES_WAITING)
        self._decided_batches: Queue[list[Work] | None] = Queue(BATCHES_WAITING)
        # Signal handlers may put into a SimpleQueue and set an attribute; an Event's lock would not survive them.
        self._happenings: SimpleQueue[Happening] = SimpleQueue()
        self._stopping = False
        self._reload_waits = False
        self._exit_code = ExitCode.OK
        self._decided = 0
        self._last_decided_at: float | None = None
        self._signs = SignsOfLife(self._moves, self._status)
        inbox = Watcher(
            configuration.inbox,
            settings.watch,
            unknown=lambda paths: lookup.new(database, paths),
            deliver=self._deliver,
            scanned=partial(self._count_scan, "inbox"),
        )
        self._watchers = {"watcher": inbox}
        if configuration.labelled is not None:
            labelled = inbox_labelled.LabelledWatcher(
                configuration.labelled, settings.watch, database, self._deliver, partial(self._count_scan, "labelled")
            )
            self._watchers["labelled watcher"] = labelled
        backlog = Backlog(inbox, database)
        self._waiting = backlog.count
        self.metrics.show_backlog(backlog.count, backlog.oldest_seconds)
        self._tidier = Tidier(configuration, database, lambda outcome: self.metrics.tidied.labels(outcome).inc())
        self._watching = [TimedThread(name, self._run_watcher, self._die) for name in self._watchers]
        self._stages = [
            *self._watching,
            TimedThread("dispatcher", self._run_dispatcher, self._die),
            TimedThread("decider", self._run_decider, self._die),
            TimedThread("writer", self._run_writer, self._die),
            *([TimedThread("tidier", self._tidier.run, self._die)] if self._tidier.enabled else []),
        ]
        self._jobs = Jobs(
            configuration,
            database,
            registry,
            self.metrics,
            in_use=self._calibrations_in_use,
            reload=self._ask_to_reload,
            backlog=backlog,
        )
        depths: dict[str, Callable[[], float]] = {
            "paths": self._paths.qsize,
            "scoring": self._dispatched.qsize,
            "storing": self._decided_batches.qsize,
        }
        for name, depth in depths.items():
            self.metrics.queue_depth.labels(name).set_function(depth)

    def run(self) -> ExitCode:
        """Run until a signal; returns the exit code."""
        settings = self.configuration.settings
        with only_daemon(self.database):
            make_folder(self.configuration.inbox)
            notify("STATUS=loading the models")
            self._begin_workers(self._load())
            if settings.metrics.enabled:
                certificate = self.configuration.certificate
                self._server = self.metrics.serve(settings.metrics.host, settings.metrics.port, certificate)
                log.info("metrics: %s", self._server.url)
            self._listen()
            for stage in reversed(self._stages):
                stage.start()
            self._jobs.start()
            if self.configuration.labelled is not None:
                log.info("labels come from %s", printable(self.configuration.labelled))
            log.info("watching %s", printable(self.configuration.inbox))
            notify("READY=1", f"STATUS={self._status()}")
            code = self._wait()
            if self._server is not None:
                self._server.stop()
            if code is ExitCode.OK and self._workers is not None:
                self._workers.stop()
            return code

    def _begin_workers(self, ensemble: Ensemble) -> None:
        """Begin the workers: before there is any thread, port or connection, which they would have a part in."""
        self.database.close()
        wished = self.configuration.settings.pipeline.workers
        self._workers = Workers(self.configuration, self.registry, ensemble, wished)
        self._dispatched.maxsize = self._workers.count + 1
        if self._workers.count > 1:
            log.info("%d processes read and score", self._workers.count)

    def _wait(self) -> ExitCode:
        """Wait for what happens, with a sign of life for systemd while the pipeline moves."""
        while True:
            self._signs.give()
            self._jobs.follow_clock()
            try:
                happening = self._happenings.get(timeout=self._signs.pause)
            except Empty:
                continue
            if happening == "reload":
                self._reload_waits = False
                self._reload()
            elif happening == "dead":
                return self._exit_code
            else:
                return self._drain()

    def _drain(self) -> ExitCode:
        log.info("stopping: the crops that were taken are finished first; a second signal stops at once")
        self._stopping = True
        notify("STOPPING=1", f"STATUS={self._status()}")
        self._jobs.stop()
        for watcher in self._watchers.values():
            watcher.mailbox.put(Stop())
        marked = False
        while self._exit_code is ExitCode.OK:
            self._signs.give(ending=True)
            alive = next((stage for stage in self._stages if stage.is_alive()), None)
            if alive is None:
                break
            if alive in self._watching or marked:
                alive.join(DRAIN_LOOK_SECONDS)
            else:
                marked = self._put_mark()
        if self._exit_code is ExitCode.OK:
            log.info("stopped")
        return self._exit_code

    def _moves(self, seconds: float) -> bool:
        return not any(stage.hangs(seconds) for stage in self._stages)

    def _status(self) -> str:
        """What `systemctl status` shows."""
        if self._stopping:
            return f"deciding the crops that were taken, then it ends; {self._decided} decided since the start"
        if self._last_decided_at is None:
            done = "no crop was decided since the start"
        else:
            at = datetime.fromtimestamp(self._last_decided_at, UTC)
            done = f"{self._decided} crops decided since the start, the last at {at:%Y-%m-%d %H:%M:%S} UTC"
        waiting = self._waiting()
        return f"watching {printable(self.configuration.inbox)}: {done}{f'; {waiting} wait' if waiting else ''}"

    def _put_mark(self) -> bool:
        """Put the mark that ends the stages behind the last path; false while the queue is full."""
        return self._paths.put(None, DRAIN_LOOK_SECONDS)

    def _listen(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self._ask_to_reload())

    def _on_stop(self, number: int, _frame: object) -> None:
        if self._stopping:
            os._exit(128 + number)
        self._stopping = True
        self._happenings.put("stop")

    def _ask_to_reload(self) -> None:
        """Ask once, however often it is wished: a stop must not wait behind a hundred reloads."""
        if not self._reload_waits:
            self._reload_waits = True
            self._happenings.put("reload")

    def _die(self, code: ExitCode) -> None:
        self._exit_code = code
        self._happenings.put("dead")

    def _load(self) -> Ensemble:
        ensemble = load_active(self.database, self.registry, self.configuration)
        self.metrics.show_models(ensemble.models, refresh.reference_ranges(self.database, ensemble))
        self.ensemble = ensemble
        for model in ensemble.models:
            log.info("model %s decides with the threshold %.6g", model.name, model.threshold)
        if len(ensemble.models) > 1:
            log.info("the final decision: %s", ensemble.rule)
        return ensemble

    def _calibrations_in_use(self) -> tuple[int, ...]:
        return tuple(model.calibration_id for model in self.ensemble.models) if self.ensemble else ()

    def _reload(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 - loading runs a detector's code, which may raise anything
            log.error("not reloaded: %s; the models and thresholds in use stay", printable(str(error)))  # noqa: TRY400
        try:
            if self._server is not None:
                self._server.renew()
        except MonitorError as error:
            log.error("%s; the certificate in use stays", error)  # noqa: TRY400
        self._jobs.refresh_now()
        notify("READY=1")

    def _deliver(self, candidate: Candidate) -> bool:
        while not self._stopping:
            if not self._paths.put(candidate, PUT_SECONDS):
                continue
            if candidate.looks is None and candidate.label is None:
                self.metrics.seen.inc()
            return True
        return False

    def _count_scan(self, folder: str, whole: bool) -> None:
        self.metrics.count_scan(folder, time.time(), whole=whole)

    def _run_watcher(self, stage: TimedThread) -> None:
        self._watchers[stage.name].run(stage)

    def _run_dispatcher(self, stage: TimedThread) -> None:
        limit = self.configuration.settings.pipeline.batch_size
        ended = False
        while not ended:
            stage.idle()
            taken = self._paths.take(limit)
            candidates = [candidate for candidate in taken if candidate is not None]
            ended = len(candidates) < len(taken)
            if candidates:
                # Read once: a reload may exchange it meanwhile, and only the models that are asked can decide.
                ensemble = self.ensemble
                # Loaded and begun before any stage starts.
                assert ensemble is not None
                assert self._workers is not None
                batch = self._workers.submit([candidate.path for candidate in candidates], ensemble)
                self._dispatched.put(Dispatched(candidates, ensemble, batch))
        self._dispatched.put(None)

    def _run_decider(self, stage: TimedThread) -> None:
        while True:
            stage.idle()
            dispatched = self._dispatched.get()
            if dispatched is None:
                break
            stage.busy()
            works = dispatched.batch.result(stage.busy)
            complete = [
                work
                for candidate, work in zip(dispatched.candidates, works, strict=True)
                if self._is_complete(candidate, work)
            ]
            pipeline.decide(complete, dispatched.ensemble)
            stage.idle()  # waiting for the next stage is no hanging
            if complete:
                self._decided_batches.put(complete)
        self._decided_batches.put(None)

    def _is_complete(self, candidate: Candidate, work: Work) -> bool:
        """Whether a file is complete, or given up; the watcher is told of one that is not."""
        work.label = candidate.label
        if work.ended and work.refusal is None:
            return True
        unchanged = looks_when_read(work) == candidate.looks
        unfinished = work.ended is False and not (candidate.settled and unchanged)
        unreadable = work.refusal is not None and work.refusal.transient and not (candidate.final and unchanged)
        if not (unfinished or unreadable):
            return True
        if work.label is None:
            self.metrics.retried.inc()
        self._answer(work, Incomplete(candidate.path, looks_when_read(work)))
        return False

    def _run_writer(self, stage: TimedThread) -> None:
        while True:
            stage.idle()
            batch = self._decided_batches.get()
            # What else is decided by now goes into the same transaction: one is cheaper than many.
            ended = batch is None
            together = batch or []
            while not ended and len(together) < STORED_TOGETHER and not self._decided_batches.empty():
                batch = self._decided_batches.get()
                ended = batch is None
                together += batch or []
            recorded = self._commit(stage, together) if together else None
            if recorded is not None:
                self._finish(together, recorded, time.time())
            if ended:
                self._tidier.stop()
                return

    def _commit(self, stage: TimedThread, batch: list[Work]) -> Recorded | None:
        """Commit, again and again while the database refuses; none when there is nothing left to finish.

        That is so when it still refuses once the daemon stops, and when the crops were committed one by one.

        Raises `StoreDamagedError`, which no waiting mends. A row that the database takes in no way is left out, so
        that one odd file does not stop the line.
        """
        pause = FIRST_COMMIT_PAUSE_SECONDS
        while True:
            stage.busy()
            try:
                recorded = self._store(batch)
            except StoreDamagedError:
                raise
            except StoreRefusedError as error:
                self._commit_singly(stage, batch, error)
                return None
            except StoreError as error:
                self.metrics.store_failures.inc()
                if self._stopping:
                    log.error(  # noqa: TRY400
                        "%d crops are not decided: %s; they lie in the inbox and are found at the next start",
                        len(batch), error,
                    )  # fmt: skip
                    return None
                log.error("%d decisions wait: %s; tried again in %g s", len(batch), error, pause)  # noqa: TRY400
            else:
                if pause > FIRST_COMMIT_PAUSE_SECONDS:
                    log.info("%d decisions that waited are stored", len(batch))
                return recorded
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_COMMIT_PAUSE_SECONDS)

    def _store(self, batch: list[Work]) -> Recorded:
        began = time.perf_counter()
        recorded = record.store(self.database, batch, self._tidier.archive)
        self.metrics.commit.observe(time.perf_counter() - began)
        return recorded

    def _commit_singly(self, stage: TimedThread, batch: list[Work], error: StoreRefusedError) -> None:
        """Commit and finish each crop by itself; the one that the database refuses stays where it is, unrecorded."""
        if len(batch) == 1:
            (work,) = batch
            log.error("%s: cannot be recorded, so it has no decision: %s", printable(work.path), error)
            if work.label is None:
                self.metrics.failed.labels("not_recorded").inc()
            self._answer(work, Done(work.path, looks_when_read(work)))
            return
        for work in batch:
            recorded = self._commit(stage, [work])
            if recorded is not None:
                self._finish([work], recorded, time.time())

    def _finish(self, batch: Sequence[Work], recorded: Recorded, committed_at: float) -> None:
        """Count, tell and clean up after committed crops; what was known before is not told again."""
        fresh = [
            (work, models)
            for work in batch
            if work.label is None and (models := recorded.decided.get(scoring_work.key(work)))
        ]
        if fresh:
            self._decided += len(fresh)
            self._last_decided_at = committed_at
            self.metrics.count(fresh, committed_at)
        for work, _ in fresh:
            self._tell(work)
        for work in batch:
            if work.refusal is not None:
                self._finish_refused(work, scoring_work.key(work) in recorded.failed)
            if work.label is None and not work.failed:
                self._tidier.offer(work.path)
            self._answer(work, Done(work.path, looks_when_read(work)))

    def _answer(self, work: Work, message: Done | Incomplete) -> None:
        """Tell the watcher that found a file what has become of it."""
        watcher = self._watchers["watcher" if work.label is None else "labelled watcher"]
        watcher.mailbox.put(message)

    def _finish_refused(self, work: Work, new: bool) -> None:
        """Tell of a crop that some model, or all, could not score; ``new``: its failure was not known before."""
        assert work.refusal is not None
        if work.label is not None:
            if new:
                rescan.warn_unreadable(work)
            return
        if new or work.refusal.reason == "vanished":
            self.metrics.failed.labels(work.refusal.reason).inc()
            log.warning("%s: %s; recorded as failed (%s)", printable(work.path), work.refusal, work.refusal.reason)
        if work.failed:
            self._quarantine(work)

    def _tell(self, work: Work) -> None:
        """Warn of a proliv, with the scores that made it one."""
        final = work.final
        if final is None or final.verdict != "proliv":
            return
        hole = "unknown" if work.identity.hole is None else work.identity.hole
        if final.decided_by == "primary":
            model = work.decisions[0].model.name
            reason = f"score {final.score:.6g} reaches the threshold {final.threshold:.6g} of {model}"
        else:
            votes = ", ".join(
                f"{one.model.name} {one.score:.6g} {'>=' if one.verdict == 'proliv' else '<'} {one.threshold:.6g}"
                for one in work.decisions
            )
            reason = f"by {final.decided_by}, {final.score:.6g} >= {final.threshold:.6g}: {votes}"
        log.warning("proliv: hole %s, %s: %s", hole, printable(work.path), reason)

    def _quarantine(self, work: Work) -> None:
        """Move a file whose content cannot be scored; what is no file, or fails by a detector's defect, stays."""
        folder = self.configuration.quarantine
        assert work.refusal is not None
        if folder is None or work.content is None or work.refusal.reason == "detector_error":
            return
        try:
            moved = quarantine(Path(work.path), work.content, folder)
        except OutputError as error:
            log.error("%s; it stays in the inbox", error)  # noqa: TRY400
        else:
            if moved is not None:
                log.warning("%s: moved to %s", printable(work.path), printable(moved))
