"""Scheduled runs: one row for each slot of a job, so that a job runs exactly once in each slot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, or_, select, update

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import runs
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy.engine import Connection

# The names of the jobs, as they are stored: the nightly recalibration, training from labels, and the deletion of old
# decisions.
NIGHTLY: Final = "recalibrate"
RETRAIN: Final = "retrain"
RETENTION: Final = "retention"
# The outcome of the slot that was due last when the program starts for the first time; it is not made up for.
BEFORE_THE_START: Final = "before the first start"


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
    """Claim a slot and return the run's id; None if it is done, or another owner is at work on it.

    An unfinished run can be claimed again by its owner at any time, and by others once its lease has ended.
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
    """Mark a run as done."""
    connection.execute(
        update(runs).where(runs.c.id == run_id, runs.c.finished_at.is_(None)).values(finished_at=now, outcome=outcome)
    )


def skip(connection: Connection, job: str, slot: datetime, *, outcome: str, now: datetime) -> None:
    """Mark a slot as done without a run."""
    values = {"job": job, "slot": slot, "started_at": now, "finished_at": now, "outcome": outcome}
    connection.execute(insert_unless_there(connection, runs), values)


def is_finished(connection: Connection, job: str, slot: datetime) -> bool:
    """Whether a slot is done."""
    query = select(runs.c.finished_at).where(runs.c.job == job, runs.c.slot == slot)
    return connection.execute(query).scalar() is not None


def newest_slot(connection: Connection, job: str) -> datetime | None:
    """The job's newest slot, or None."""
    slot = connection.execute(select(func.max(runs.c.slot)).where(runs.c.job == job)).scalar()
    assert slot is None or isinstance(slot, datetime)
    return slot


def started_before(connection: Connection, run_id: int) -> datetime | None:
    """When the job's run before this one started, by the clock at that time; None if this is the first."""
    job = select(runs.c.job).where(runs.c.id == run_id).scalar_subquery()
    query = select(runs.c.started_at).where(runs.c.job == job, runs.c.id < run_id).order_by(runs.c.id.desc()).limit(1)
    started: datetime | None = connection.execute(query).scalar()
    return started


def ever_ran(connection: Connection, job: str) -> bool:
    """Whether any slot of the job is stored."""
    return newest_slot(connection, job) is not None


def newest_runs(connection: Connection, job: str, most: int) -> list[RunRow]:
    """The runs of the job's ``most`` newest slots, newest first."""
    query = select(*columns_of(runs, RunRow)).where(runs.c.job == job).order_by(runs.c.slot.desc()).limit(most)
    return select_rows(connection, RunRow, query)


def last_successes(connection: Connection, now: datetime) -> dict[str, datetime]:
    """By job, when its last run that did not fail ended; a slot from before the first start counts as one.

    Runs that ended after ``now`` are ignored: a clock that ran ahead stored them.
    """
    query = (
        select(runs.c.job, func.max(runs.c.finished_at).label("finished_at"))
        .where(runs.c.finished_at <= now, ~func.coalesce(runs.c.outcome, "").startswith("failed"))
        .group_by(runs.c.job)
    )
    return {row.job: row.finished_at for row in connection.execute(query)}
