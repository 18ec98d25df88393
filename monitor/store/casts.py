"""Casts and their phases as rows: what was said of them, and which cast runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import insert, select, update

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import cast_phases, casts

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

# The phase of a row that says that no cast runs, or that none is known.
NO_CAST: Final = "none"


class CastRow(NamedTuple):
    """A row of `casts`; ``ended_at`` is None while it runs."""

    id: int
    number: str
    alloy: str | None
    started_at: datetime
    ended_at: datetime | None


class Said(NamedTuple):
    """What was said of the cast, see `cast_phases`, with the number and the alloy of the cast that it is about."""

    cast_id: int | None
    phase: str
    at: datetime
    source: str
    author: str | None
    problem: str | None
    number: str | None
    alloy: str | None


def newest(connection: Connection) -> Said | None:
    """What was said last, which holds; None where nothing ever was."""
    return next(iter(_said(connection, _query().order_by(cast_phases.c.id.desc()).limit(1))), None)


def held_at(connection: Connection, moment: datetime) -> Said | None:
    """What held at a moment; None where nothing had been said."""
    query = _query().where(cast_phases.c.at <= moment).order_by(cast_phases.c.id.desc()).limit(1)
    return next(iter(_said(connection, query)), None)


def phases_of(connection: Connection, cast_id: int) -> list[Said]:
    """What was said of a cast, in order."""
    return _said(connection, _query().where(cast_phases.c.cast_id == cast_id).order_by(cast_phases.c.id))


def everything_said(connection: Connection) -> list[Said]:
    """All that was ever said, of every cast, in order."""
    return _said(connection, _query().order_by(cast_phases.c.id))


def running(connection: Connection) -> CastRow | None:
    """The cast that runs; None where none does."""
    query = select(*columns_of(casts, CastRow)).where(casts.c.ended_at.is_(None)).order_by(casts.c.id.desc())
    return next(iter(select_rows(connection, CastRow, query.limit(1))), None)


def find(connection: Connection, number: str) -> CastRow | None:
    """The newest cast with a number; None if there is none."""
    query = select(*columns_of(casts, CastRow)).where(casts.c.number == number).order_by(casts.c.id.desc())
    return next(iter(select_rows(connection, CastRow, query.limit(1))), None)


def listed(connection: Connection, most: int | None) -> list[CastRow]:
    """All casts, the newest first."""
    return select_rows(connection, CastRow, select(*columns_of(casts, CastRow)).order_by(casts.c.id.desc()).limit(most))


def begin(connection: Connection, number: str, alloy: str | None, at: datetime) -> int:
    """Begin a cast, which ends any other; returns its id."""
    end(connection, at)
    values = {"number": number, "alloy": alloy, "started_at": at}
    key = connection.execute(insert(casts).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def end(connection: Connection, at: datetime) -> None:
    """End the cast that runs, if one does."""
    connection.execute(update(casts).where(casts.c.ended_at.is_(None)).values(ended_at=at))


def name_alloy(connection: Connection, cast_id: int, alloy: str) -> None:
    """Say of which alloy a cast is."""
    connection.execute(update(casts).where(casts.c.id == cast_id).values(alloy=alloy))


def say(
    connection: Connection,
    cast_id: int | None,
    phase: str,
    at: datetime,
    *,
    source: str,
    author: str | None = None,
    problem: str | None = None,
) -> None:
    """Store what is said of the cast; from now on it holds."""
    values = {"cast_id": cast_id, "phase": phase, "at": at, "source": source, "author": author, "problem": problem}
    connection.execute(insert(cast_phases).values(**values))


def _query() -> Select[Any]:
    own = (cast_phases.c[name] for name in Said._fields[:6])
    return select(*own, casts.c.number, casts.c.alloy).outerjoin(casts, casts.c.id == cast_phases.c.cast_id)


def _said(connection: Connection, query: Select[Any]) -> list[Said]:
    return select_rows(connection, Said, query)
