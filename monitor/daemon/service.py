"""The daemon: puts its parts together, starts and stops them in their order, and answers signals.

    watchers -> paths -> dispatcher -> batches in the pool -> decider -> batches -> writer -> aftermath

One watcher looks after the inbox and one after the labelled folder, whose crops give their label to what is known and
are otherwise scored and stored like any other; they raise no alarm, are counted nowhere and stay where they are.

Each arrow is a bounded queue: when the writer is slow, everything before it waits, and the scan finds later what was
not taken. Stopping runs along the arrows: the watchers end first, then a mark travels through the queues and ends each
thread once it has finished what came before, so that nothing that was taken is lost. Behind the writer, decided files
leave the inbox where the configuration says so, in a thread of their own (`monitor.inbox.tidier`).
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.daemon.aftermath import Aftermath, Progress, listeners
from monitor.daemon.alarm_threads import AlarmThreads
from monitor.daemon.dispatcher import Dispatcher
from monitor.daemon.happenings import Happenings
from monitor.daemon.heartbeat import Heartbeat
from monitor.daemon.jobs import Jobs
from monitor.daemon.models_in_use import ModelsInUse
from monitor.daemon.opening import open_store
from monitor.daemon.replies import Replies
from monitor.daemon.systemd import SignsOfLife, notify
from monitor.daemon.writer import Writer
from monitor.errors import ExitCode, MonitorError
from monitor.files.folders import make_folder
from monitor.files.ignoring import IgnoredNames
from monitor.files.text import printable
from monitor.inbox.arrival import Arrival
from monitor.inbox.backlog import Backlog
from monitor.inbox.labelled import LabelledWatcher
from monitor.inbox.messages import Stop
from monitor.inbox.second_looks import SecondLooks
from monitor.inbox.tidier import Tidier
from monitor.inbox.watcher import Watcher
from monitor.metrics import Metrics
from monitor.metrics.holes import Holes
from monitor.scoring import lookup
from monitor.scoring.pools.pool import open_pool
from monitor.store.database.lock import only_daemon
from monitor.threads import TimedThread
from monitor.upkeep import inbox_identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.resolved import Configuration
    from monitor.inbox.messages import Candidate, Done, Incomplete
    from monitor.metrics.server import MetricsServer
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.base import ScoringPool
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How often, while stopping, it is looked whether the next thread has ended.
DRAIN_LOOK_SECONDS: Final = 0.2


class Service:
    """Everything that `monitor run` runs."""

    def __init__(self, configuration: Configuration, database: Database, registry: Registry) -> None:
        self.configuration = configuration
        self.database = database
        self.registry = registry
        self.metrics = Metrics(Holes.of(configuration.settings))
        self.models = ModelsInUse(configuration, database, registry, self.metrics)
        self._server: MetricsServer | None = None
        self._pool: ScoringPool | None = None
        self._happenings = Happenings()
        self._exit_code = ExitCode.OK
        self._signs = SignsOfLife(self._moves, self._status)
        self._heartbeat = Heartbeat(configuration, database, self._moves)
        self._alarms = AlarmThreads(configuration, database, registry, self.metrics, self._decides)
        self._progress = Progress(configuration.time_zone)
        self._tidier = Tidier(
            *(configuration, database, lambda outcome: self.metrics.tidied.labels(outcome).inc()),
            stopped=partial(self.metrics.show_deletion, "tidying"),
        )
        self._second_looks = SecondLooks.of(configuration, database)
        self._inbox = Watcher(
            configuration.inbox,
            configuration.settings.watch,
            unknown=partial(lookup.new, database),
            deliver=self._deliver,
            scanned=partial(self._count_scan, "inbox"),
            ignored=IgnoredNames(configuration.settings.crops.ignore),
            order=Arrival(configuration),
        )
        self.metrics.show_file_events("inbox", self._inbox.nudges.is_observing)
        self._labelled = self._labelled_watcher()
        replies = Replies(self._inbox.mailbox.put, self._to_labelled)
        self.dispatcher = Dispatcher(
            *(configuration.settings.pipeline, self.models, replies, self.metrics, self._alarms.selftests.is_one)
        )
        self.writer = self._writer(replies)
        backlog = Backlog(self._inbox, database)
        self._waiting = backlog.count
        self.metrics.show_backlog(backlog.count, backlog.oldest_seconds)
        self._jobs = Jobs(
            configuration,
            database,
            registry,
            self.metrics,
            in_use=lambda: self.models.calibrations,
            reload=self._happenings.ask_to_reload,
            backlog=backlog,
        )
        self._watching = self._watching_threads()
        self._threads = [*self._watching, *self._other_threads()]

    def _labelled_watcher(self) -> LabelledWatcher | None:
        folder = self.configuration.labelled
        if folder is None:
            return None
        settings, scanned = self.configuration.settings, partial(self._count_scan, "labelled")
        ignored = IgnoredNames(settings.crops.ignore)
        watcher = LabelledWatcher(folder, settings.watch, self.database, self._deliver, scanned, ignored)
        self.metrics.show_file_events("labelled", watcher.nudges.is_observing)
        return watcher

    def _writer(self, replies: Replies) -> Writer:
        hear = listeners(self.metrics, self._progress, self._second_looks, self._tidier)
        # The watchers hear of a file last: by then it is counted, and moved where it is to be moved.
        hear.append(replies.committed)
        archive = self._tidier.archive
        return Writer(
            self.database,
            self.dispatcher.decided,
            archive.place if archive else None,
            self._alarms.raising,
            Aftermath(hear, self._alarms.tell),
            replies,
            self.metrics,
            is_stopping=lambda: self._happenings.stopping,
            rehearse=self._alarms.rehearsal,
        )

    def _watching_threads(self) -> list[TimedThread]:
        watchers: dict[str, Watcher] = {"watcher": self._inbox}
        if self._labelled is not None:
            watchers["labelled watcher"] = self._labelled
        return [TimedThread(name, watcher.run, self._die) for name, watcher in watchers.items()]

    def _other_threads(self) -> list[TimedThread]:
        jobs: dict[str, Callable[[TimedThread], None]] = {
            "dispatcher": self.dispatcher.dispatch,
            "decider": self.dispatcher.decide,
            "writer": self._write,
        }
        if self._tidier.enabled:
            jobs["tidier"] = self._tidier.run
        if self._second_looks is not None:
            jobs["second looks"] = self._second_looks.run
        return [TimedThread(name, job, self._die) for name, job in jobs.items()]

    def run(self) -> ExitCode:
        """Run until a signal; returns the exit code."""
        settings = self.configuration.settings
        with only_daemon(self.database):
            open_store(self.database)
            make_folder(self.configuration.inbox)
            inbox_identity.note(self.database, self.configuration, datetime.now(UTC))
            notify("STATUS=loading the models")
            self._open_pool(self.models.load())
            if settings.metrics.enabled:
                certificate = self.configuration.certificate
                self._server = self.metrics.serve(settings.metrics.host, settings.metrics.port, certificate)
                log.info("metrics: %s", self._server.url)
            self._happenings.listen()
            self._alarms.follow_cast()
            for thread in reversed(self._threads):
                thread.start()
            self._jobs.start()
            self._heartbeat.start()
            self._alarms.start()
            if self.configuration.labelled is not None:
                log.info("labels come from %s", printable(self.configuration.labelled))
            log.info("watching %s", printable(self.configuration.inbox))
            notify("READY=1", f"STATUS={self._status()}")
            code = self._wait()
            self._alarms.stop()
            self._heartbeat.stop()
            if self._server is not None:
                self._server.stop()
            if code is ExitCode.OK and self._pool is not None:
                self._pool.stop()
            return code

    def _open_pool(self, ensemble: Ensemble) -> None:
        """Begin the workers: before there is any thread, port or connection, which they would have a part in."""
        self.database.close()
        self._pool = open_pool(
            self.configuration, self.registry, ensemble, self.configuration.settings.pipeline.workers
        )
        self.dispatcher.use(self._pool)
        if self._pool.workers > 1:
            log.info("%d processes read and score", self._pool.workers)

    def _wait(self) -> ExitCode:
        """Wait for what happens, with a sign of life for systemd while the pipeline moves."""
        while True:
            self._signs.give()
            self._jobs.follow_clock()
            happening = self._happenings.next(self._signs.pause)
            if happening in ("reload", "hangup"):
                self._reload(everything=happening == "hangup")
            elif happening == "dead":
                return self._exit_code
            elif happening == "stop":
                return self._drain()

    def _drain(self) -> ExitCode:
        log.info("stopping: the crops that were taken are finished first; a second signal stops at once")
        self._happenings.stopping = True
        notify("STOPPING=1", f"STATUS={self._status()}")
        self._jobs.stop()
        for watcher in (self._inbox, self._labelled):
            if watcher is not None:
                watcher.mailbox.put(Stop())
        marked = False
        while self._exit_code is ExitCode.OK:
            self._signs.give(ending=True)
            alive = next((thread for thread in self._threads if thread.is_alive()), None)
            if alive is None:
                break
            if alive in self._watching or marked:
                alive.join(DRAIN_LOOK_SECONDS)
            else:
                marked = self.dispatcher.end(DRAIN_LOOK_SECONDS)
        if self._exit_code is ExitCode.OK:
            log.info("stopped")
        return self._exit_code

    def _moves(self, seconds: float) -> bool:
        return not any(thread.hangs(seconds) for thread in self._threads)

    def _decides(self) -> bool:
        """Whether crops that come are decided on: there are signs of life, and the database takes decisions."""
        return self._signs.are_given() and not self.writer.waits

    def _status(self) -> str:
        """What `systemctl status` shows."""
        if self._happenings.stopping:
            return (
                f"finishing the crops that were taken, then stopping; {self._progress.decided} decided since the start"
            )
        waiting = self._waiting()
        doing = f"watching {printable(self.configuration.inbox)}: {self._progress.sentence()}"
        # Not a number where it is not known.
        return f"{doing}; {waiting} waiting" if waiting > 0 else doing

    def _die(self, code: ExitCode) -> None:
        self._exit_code = code
        self._happenings.tell_of_death()

    def _reload(self, *, everything: bool) -> None:
        """Load models and thresholds again; ``everything``: a person asked, so the sinks of alarms too."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        with self._signs.given_meanwhile():
            try:
                self.models.load()
            except Exception as error:  # noqa: BLE001 - loading runs a detector's code, which may raise anything
                log.error("not reloaded: %s; the models and thresholds in use stay", printable(str(error)))  # noqa: TRY400
            try:
                if self._server is not None:
                    self._server.renew()
            except MonitorError as error:
                log.error("%s; the certificate in use stays", error)  # noqa: TRY400
            if everything:
                self._reload_sinks()
        self._jobs.refresh_now()
        notify("READY=1")

    def _reload_sinks(self) -> None:
        try:
            self._alarms.reload()
        except Exception as error:  # noqa: BLE001 - making a sink runs a plug-in's code, which may raise anything
            for line in str(error).splitlines():
                log.error("%s", printable(line))  # noqa: TRY400
            log.error("the sinks of alarms are not reloaded; those in use stay")  # noqa: TRY400

    def _deliver(self, candidate: Candidate) -> bool:
        return self.dispatcher.deliver(candidate, lambda: self._happenings.stopping)

    def _to_labelled(self, message: Done | Incomplete) -> None:
        assert self._labelled is not None  # no other watcher delivers a file with a label
        self._labelled.mailbox.put(message)

    def _count_scan(self, folder: str, whole: bool) -> None:
        self.metrics.count_scan(folder, time.time(), whole=whole)

    def _write(self, thread: TimedThread) -> None:
        self.writer.run(thread)
        self._tidier.stop()
        if self._second_looks is not None:
            self._second_looks.stop()
