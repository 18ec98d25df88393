"""An INSERT that can say what happens on a conflict; both databases know it, SQLAlchemy's core does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

Upsert: TypeAlias = "sqlite.Insert | postgresql.Insert"


def upsert(dialect: str, table: Table) -> Upsert:
    """An INSERT in the words of a database, by the name of its dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_unless_there(connection: Connection, table: Table) -> Upsert:
    """An INSERT that leaves a row alone which is there already."""
    return upsert(connection.dialect.name, table).on_conflict_do_nothing()
