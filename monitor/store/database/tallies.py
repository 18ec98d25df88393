"""Keeps the tallies of crops and decisions exact, so that no query has to count millions of rows.

On PostgreSQL triggers do all of it. In SQLite a trigger for each new crop would take a tenth of the time of storing it,
so new crops are counted once at the end of each transaction that writes: those with an id above `counted.until`, the
newest crop that is in the tallies. Changes to counted crops, and decisions added to them, are left to triggers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# Plain SQL: these run with every batch of crops, and SQLAlchemy would take ten times as long to build them.
_STATEMENTS: Final = (
    """insert into crop_tallies
    select 0, source, state, coalesce(reason, ''), coalesce(verdict, ''), count(*) from crops
    where id > (select until from counted) group by source, state, reason, verdict
    on conflict (writer, source, state, reason, verdict) do update set crops = crops + excluded.crops""",
    """insert into score_tallies
    select 0, model_id, source, scores.verdict, count(*) from crops join scores on crop_id = id
    where id > (select until from counted) group by model_id, source, scores.verdict
    on conflict (writer, model_id, source, verdict) do update set scores = scores + excluded.scores""",
    "update counted set until = (select max(id) from crops)",
)
_NEW: Final = "select (select max(id) from crops) > until from counted"


def count_new(connection: Connection) -> None:
    """Add the crops that this SQLite transaction stored, and their decisions, to the tallies."""
    if connection.exec_driver_sql(_NEW).scalar():
        for statement in _STATEMENTS:
            connection.exec_driver_sql(statement)
