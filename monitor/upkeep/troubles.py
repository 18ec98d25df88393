"""What is wrong with the system itself, as opposed to the casting, from what `monitor status` knows too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from monitor.store import calibrations, casts, daemons, pauses
from monitor.store.counts import count_crops
from monitor.store.database.lock import owner
from monitor.store.models import active_models
from monitor.store.newest import newest_id, newest_latencies
from monitor.store.outbox import backlogs
from monitor.store.runs import NIGHTLY, newest_runs
from monitor.upkeep.cast import believed_cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

Kind = Literal[
    "not_running", "hangs", "no_model", "no_crops",
    "late", "undelivered", "refused", "night_failed", "fallback", "cast_in_doubt", "paused",
]  # fmt: skip
Severity = Literal["stop", "warn", "info"]

# So many of the newest decisions tell whether they are late, unless they are older than this.
DECISIONS: Final = 50
RECENT: Final = timedelta(minutes=5)
# Messages that wait for less long are on their way.
ON_THEIR_WAY: Final = timedelta(seconds=60)


class Trouble(NamedTuple):
    """Something that is wrong.

    ``since``: or, of a pause, until when. ``name``: of a sink or a model. ``amount``: of messages, or seconds. ``why``:
    a sentence. ``camera``, ``hole``: what a pause is of, None where it is of all.
    """

    severity: Severity
    kind: Kind
    since: datetime | None = None
    name: str = ""
    amount: float = 0.0
    why: str = ""
    camera: str | None = None
    hole: int | None = None


def find_troubles(configuration: Configuration, database: Database, now: datetime) -> list[Trouble]:
    """Everything that is wrong now, worst first."""
    holder = owner(database)
    with database.read() as connection:
        found = [
            *_daemons(connection, database, holder),
            *_models(connection),
            *_crops(connection, configuration, now),
            *_messages(connection, now),
            *_night(connection),
            *_cast(connection, configuration, now),
            *_pauses(connection, now),
        ]
    order = {"stop": 0, "warn": 1, "info": 2}
    return sorted(found, key=lambda one: order[one.severity])


def _daemons(connection: Connection, database: Database, holder: str | None) -> Iterator[Trouble]:
    entered = daemons.seen(connection)
    newest = entered[0].row.seen_at if entered else None
    # The lock of a SQLite file tells for certain; on a server only the signs of life do.
    runs = any(one.alive for one in entered) if database.file is None else holder is not None
    if not runs:
        yield Trouble("stop", "not_running", since=newest)
    elif entered and not entered[0].alive:
        yield Trouble("stop", "hangs", since=newest)


def _models(connection: Connection) -> Iterator[Trouble]:
    active = active_models(connection)
    if not any(model.threshold is not None for model in active):
        yield Trouble("stop", "no_model")
    for model in active:
        for newest in calibrations.history(connection, model.id, most=1):
            if newest.state == "refused":
                yield Trouble("warn", "refused", since=newest.created_at, name=model.name, why=newest.reason or "")
        of_now = calibrations.active(connection, model.id)
        if of_now is not None and of_now.fallback:
            yield Trouble("warn", "fallback", since=of_now.created_at, name=model.name)


def _crops(connection: Connection, configuration: Configuration, now: datetime) -> Iterator[Trouble]:
    alerts = configuration.settings.alerts
    counts = count_crops(connection)
    last = counts.last_scored_at
    if last is None:
        return
    cast = believed_cast(configuration, casts.newest(connection), now)
    bound = alerts.silent_seconds if cast.phase in ("start", "steady", "end") else alerts.pause_seconds
    if not cast.idle and now - last > timedelta(seconds=bound):
        yield Trouble("stop", "no_crops", since=last)
    if now - last < RECENT:
        took = newest_latencies(connection, newest_id(connection) - DECISIONS)
        if took and min(took) > alerts.latency_seconds:
            yield Trouble("warn", "late", amount=round(min(took)))


def _messages(connection: Connection, now: datetime) -> Iterator[Trouble]:
    for one in backlogs(connection):
        if one.error is not None or now - one.oldest_at > ON_THEIR_WAY:
            yield Trouble("warn", "undelivered", one.oldest_at, one.sink, one.messages, one.error or "")


def _night(connection: Connection) -> Iterator[Trouble]:
    for run in newest_runs(connection, NIGHTLY, 1):
        if (run.outcome or "").startswith("failed"):
            yield Trouble("warn", "night_failed", since=run.slot, why=run.outcome or "")


def _cast(connection: Connection, configuration: Configuration, now: datetime) -> Iterator[Trouble]:
    cast = believed_cast(configuration, casts.newest(connection), now)
    if cast.problem is not None:
        yield Trouble("warn", "cast_in_doubt", why=cast.problem)


def _pauses(connection: Connection, now: datetime) -> Iterator[Trouble]:
    for one in pauses.running(connection, now):
        why = f"{one.author}: {one.reason}"
        yield Trouble("info", "paused", since=one.ends_at, why=why, camera=one.camera, hole=one.hole)
