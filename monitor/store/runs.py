"""Scheduled runs: one row for each slot of a job, which is what makes a job run exactly once a slot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, or_, select, update

from monitor.store.database.schema import runs
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy.engine import Connection

NIGHTLY: Final = "recalibrate"
"""The job of the night."""
RETENTION: Final = "retention"
"""The job that deletes decisions for their age."""
BEFORE_THE_START: Final = "before the first start"
"""The outcome of the newest slot when a job's program starts for the first time."""


class RunRow(NamedTuple):
    """A row of `runs`."""

    id: int
    job: str
    slot: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None


def claim(
    connection: Connection, job: str, slot: datetime, *, owner: str, now: datetime, lease: timedelta
) -> int | None:
    """Take on a slot and return the run's id; none where it is done, or somebody else is at it.

    A run that its owner did not finish within the lease may be taken up by another, or by its owner at any time.
    """
    values = {"job": job, "slot": slot, "started_at": now, "owner": owner, "lease_until": now + lease}
    if connection.execute(insert_unless_there(connection, runs), values).rowcount != 1:
        free = or_(runs.c.owner == owner, runs.c.lease_until.is_(None), runs.c.lease_until <= now)
        taken = (
            update(runs)
            .where(runs.c.job == job, runs.c.slot == slot, runs.c.finished_at.is_(None), free)
            .values(owner=owner, lease_until=now + lease)
        )
        if connection.execute(taken).rowcount != 1:
            return None
    return int(connection.execute(select(runs.c.id).where(runs.c.job == job, runs.c.slot == slot)).scalar_one())


def finish(connection: Connection, run_id: int, *, outcome: str, now: datetime) -> None:
    """Note that a run is done."""
    connection.execute(
        update(runs).where(runs.c.id == run_id, runs.c.finished_at.is_(None)).values(finished_at=now, outcome=outcome)
    )


def skip(connection: Connection, job: str, slot: datetime, *, outcome: str, now: datetime) -> None:
    """Note a slot as done without a run."""
    values = {"job": job, "slot": slot, "started_at": now, "finished_at": now, "outcome": outcome}
    connection.execute(insert_unless_there(connection, runs), values)


def is_finished(connection: Connection, job: str, slot: datetime) -> bool:
    """Whether a slot is done."""
    query = select(runs.c.finished_at).where(runs.c.job == job, runs.c.slot == slot)
    return connection.execute(query).scalar() is not None


def newest_slot(connection: Connection, job: str) -> datetime | None:
    """The newest slot that is known."""
    slot = connection.execute(select(func.max(runs.c.slot)).where(runs.c.job == job)).scalar()
    assert slot is None or isinstance(slot, datetime)
    return slot


def started_before(connection: Connection, run_id: int) -> datetime | None:
    """When the run of the same job that was taken on before this one was started, by the clock of then."""
    job = select(runs.c.job).where(runs.c.id == run_id).scalar_subquery()
    query = select(runs.c.started_at).where(runs.c.job == job, runs.c.id < run_id).order_by(runs.c.id.desc()).limit(1)
    started: datetime | None = connection.execute(query).scalar()
    return started


def ever_ran(connection: Connection, job: str) -> bool:
    """Whether any slot of the job is known."""
    return newest_slot(connection, job) is not None


def newest_runs(connection: Connection, job: str, most: int) -> list[RunRow]:
    """The runs of the newest slots, the newest first."""
    columns = [getattr(runs.c, name) for name in RunRow._fields]
    query = select(*columns).where(runs.c.job == job).order_by(runs.c.slot.desc()).limit(most)
    return [RunRow._make(row) for row in connection.execute(query)]


def last_successes(connection: Connection) -> dict[str, datetime]:
    """When the last run of each job ended that did not fail; a slot from before the first start counts."""
    query = (
        select(runs.c.job, func.max(runs.c.finished_at).label("finished_at"))
        .where(runs.c.finished_at.is_not(None), ~func.coalesce(runs.c.outcome, "").startswith("failed"))
        .group_by(runs.c.job)
    )
    return {row.job: row.finished_at for row in connection.execute(query)}
