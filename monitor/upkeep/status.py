"""What the installation does at the moment: the active models, and what has been decided."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from monitor.formulas.casts import Context
from monitor.scoring.ensemble import shadow_models
from monitor.scoring.vote import deciding, effective
from monitor.store import alarm_evidence, calibrations, casts, daemons, pauses, selftests
from monitor.store.alarms import running_counts
from monitor.store.counts import count_crops
from monitor.store.database.lock import owner
from monitor.store.models import active_models
from monitor.store.outbox import backlogs
from monitor.store.runs import NIGHTLY, RETRAIN, newest_runs
from monitor.store.traffic import unusual_since, verdicts_since
from monitor.times import iso
from monitor.upkeep.cast import believed_cast

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.configuration.settings import Decide
    from monitor.store.alarm_evidence import EvidenceCounts
    from monitor.store.alarms import RunningCounts
    from monitor.store.casts import Said
    from monitor.store.counts import CropCounts
    from monitor.store.daemons import Seen
    from monitor.store.database.engine import Database
    from monitor.store.outbox import Backlog
    from monitor.store.pauses import PauseRow
    from monitor.store.runs import RunRow
    from monitor.store.selftests import SelftestRow

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """An active model; ``fallback``: whether its threshold was chosen with too little proliv."""

    name: str
    threshold: float | None
    rule: str | None
    fallback: bool
    trained_at: datetime


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """A daemon that entered itself into the database and did not leave.

    ``runs``: whether it does; else it ended without a stop, such as by a kill. ``silent``: it runs, as the lock of a
    SQLite file shows, but has given no sign of life for a minute: it hangs, or the database refuses.
    """

    host: str
    process: int
    version: str
    inbox: str
    started_at: datetime
    seen_at: datetime
    runs: bool
    silent: bool

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "host": self.host,
            "process": self.process,
            "version": self.version,
            "inbox": self.inbox,
            "started_at": iso(self.started_at),
            "last_sign_of_life_at": iso(self.seen_at),
            "runs": self.runs,
            "silent": self.silent,
        }


@dataclass(frozen=True, slots=True)
class LastDay:
    """The inbox's crops that were seen in the last 24 hours and decided on, and how many of them are unusual."""

    decided: int
    unusual: int

    @property
    def share(self) -> float | None:
        """The unusual share, 0-1; None where none was decided on."""
        return self.unusual / self.decided if self.decided else None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {"decided": self.decided, "unusual": self.unusual, "unusual_share": self.share}


@dataclass(frozen=True, slots=True)
class Status:
    """What the installation does at the moment.

    ``configuration``: how messages name it. ``daemon_process``: the process of the daemon on this machine, None when
    none runs. ``daemons``: what daemons on any machine said of themselves, the last one first. ``models``: the active
    ones, the primary first. ``decide``, ``deciding``: how the final decision is made, and by which models. ``counts``:
    the stored crops. ``last_day``: those of the last day. ``nightly_run``, ``training_run``: the newest ones, None
    before the first; the latter trains from labels. ``alarms``: those that are not closed. ``undelivered``: messages
    about alarms that wait for a sink. ``evidence``: what is not kept of crops. ``shadows``: the names of the models on
    trial. ``pauses``: those that run. ``selftest``: the last one, None before the first. ``cast``, ``said``: what
    is believed of the cast, and what was said last of it, None where nothing ever was.
    """

    configuration: str
    inbox: Path
    database: str
    daemon_process: str | None
    daemons: tuple[DaemonStatus, ...]
    models: tuple[ModelStatus, ...]
    decide: Decide
    deciding: tuple[str, ...]
    counts: CropCounts
    last_day: LastDay
    nightly_run: RunRow | None
    alarms: RunningCounts
    undelivered: tuple[Backlog, ...]
    evidence: EvidenceCounts
    training_run: RunRow | None = None
    shadows: tuple[str, ...] = ()
    pauses: tuple[PauseRow, ...] = ()
    cast: Context = field(default_factory=Context)
    said: Said | None = None
    selftest: SelftestRow | None = None

    @property
    def decisions(self) -> dict[str, int]:
        """How many final decisions there are, by verdict."""
        return {"proliv": 0, "ne_proliv": 0, **self.counts.final}

    @property
    def verdicts(self) -> list[tuple[str, str, int]]:
        """(model, verdict, crops) for the decisions of each model."""
        return [(model, verdict, crops) for (model, verdict), crops in sorted(self.counts.verdicts.items())]

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "configuration": self.configuration,
            "inbox": str(self.inbox),
            "database": self.database,
            "daemon_process": self.daemon_process,
            "daemons": [one.as_dict() for one in self.daemons],
            "models": [
                {
                    "model": model.name,
                    "threshold": model.threshold,
                    "rule": model.rule,
                    "fallback": model.fallback,
                    "trained_at": iso(model.trained_at),
                }
                for model in self.models
            ],
            "decide": self.decide,
            "deciding": list(self.deciding),
            "scored": self.counts.scored,
            "failed": self.counts.failed,
            "failed_by_reason": self.counts.failed_by_reason,
            "decisions": self.decisions,
            "verdicts": [
                {"model": model, "verdict": verdict, "crops": crops} for model, verdict, crops in self.verdicts
            ],
            "last_day": self.last_day.as_dict(),
            "nightly_run": _run(self.nightly_run),
            "training_run": _run(self.training_run),
            "shadows": list(self.shadows),
            "alarms": {
                "open": self.alarms.open,
                "acknowledged": self.alarms.acknowledged,
                "oldest_open_at": iso(self.alarms.oldest_open_at),
                "withheld": self.alarms.withheld,
                "pauses": [_pause(one) for one in self.pauses],
                "undelivered": [{**one._asdict(), "oldest_at": iso(one.oldest_at)} for one in self.undelivered],
            },
            "evidence": {**self.evidence._asdict(), "due_since": iso(self.evidence.due_since)},
            "cast": _cast(self.cast, self.said),
            "selftest": _selftest(self.selftest),
            "last_scored_at": iso(self.counts.last_scored_at),
            "last_scored_before": iso(self.counts.last_scored_before),
            "by_hand": self.counts.by_hand,
        }


def read_status(configuration: Configuration, database: Database) -> Status:
    """Look everything up in one view of the database."""
    holder = owner(database)
    now = datetime.now(UTC)
    yesterday = now - DAY
    with database.read() as connection:
        entered = daemons.seen(connection)
        active = active_models(connection)
        counts = count_crops(connection)
        verdicts = verdicts_since(connection, yesterday)
        last_day = LastDay(sum(verdicts.values()), unusual_since(connection, yesterday))
        alarms = running_counts(connection)
        undelivered = backlogs(connection)
        evidence = alarm_evidence.counts(connection)
        paused = pauses.running(connection, now)
        said = casts.newest(connection)
        tested = selftests.newest(connection)
        nights, trainings = (newest_runs(connection, job, 1) for job in (NIGHTLY, RETRAIN))
        shadows = shadow_models(connection, configuration.settings.decision.detectors)
        found = [calibrations.active(connection, row.id) for row in active]
    settings = configuration.settings.decision
    rows = deciding(active, settings.detectors)
    known = tuple(_daemon(one, database, holder) for one in entered)
    here = (str(one.process) for one in known if one.runs and one.host == socket.gethostname())
    return Status(
        configuration=configuration.source,
        inbox=configuration.inbox,
        database=database.description,
        daemon_process=holder or next(here, None),
        daemons=known,
        models=tuple(
            ModelStatus(row.name, row.threshold, row.rule, bool(one and one.fallback), row.trained_at)
            for row, one in zip(active, found, strict=True)
        ),
        decide=effective(settings.decide, len(rows)),
        deciding=tuple(row.name for row in rows),
        counts=counts,
        last_day=last_day,
        nightly_run=nights[0] if nights else None,
        alarms=alarms,
        undelivered=tuple(undelivered),
        evidence=evidence,
        training_run=trainings[0] if trainings else None,
        shadows=tuple(row.name for row in shadows),
        pauses=tuple(paused),
        cast=believed_cast(configuration, said, now),
        said=said,
        selftest=tested,
    )


def _cast(cast: Context, said: Said | None) -> dict[str, Any] | None:
    """The cast, ready for JSON; None where nothing was ever said of one."""
    if said is None:
        return None
    known = said if cast.cast_id is not None else None
    return {
        "number": known and known.number,
        "alloy": known and known.alloy,
        "phase": cast.phase,
        "problem": cast.problem,
        "source": said.source,
        "said_at": iso(said.at),
    }


def _selftest(last: SelftestRow | None) -> dict[str, Any] | None:
    """The last self-test, ready for JSON; None where there was none."""
    if last is None:
        return None
    values = last._asdict()
    return {**values, **{name: iso(values[name]) for name in ("began_at", "ends_at", "finished_at")}}


def _pause(one: PauseRow) -> dict[str, Any]:
    """A pause, ready for JSON."""
    values = {name: getattr(one, name) for name in ("id", "camera", "hole", "author", "reason")}
    return {**values, "of": one.scope, "ends_at": iso(one.ends_at)}


def _run(run: RunRow | None) -> dict[str, Any] | None:
    """A scheduled run, ready for JSON."""
    return {"slot": iso(run.slot), "outcome": run.outcome} if run else None


def _daemon(one: Seen, database: Database, holder: str | None) -> DaemonStatus:
    # The lock of a SQLite file tells for certain; on a server only the signs of life do.
    runs = one.alive if database.file is None else holder is not None
    row = one.row
    return DaemonStatus(
        *(row.host, row.process, row.version, row.inbox, row.started_at, row.seen_at),
        runs=runs,
        silent=runs and not one.alive,
    )
