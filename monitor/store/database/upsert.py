"""INSERT statements with ON CONFLICT, which both databases have but SQLAlchemy's common part has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

Upsert: TypeAlias = "sqlite.Insert | postgresql.Insert"


def upsert(dialect: str, table: Table) -> Upsert:
    """An INSERT in the SQL of a dialect, by its name; its ``on_conflict_...`` methods say what a conflict does."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_unless_there(connection: Connection, table: Table) -> Upsert:
    """An INSERT that does nothing for a row that exists already."""
    return upsert(connection.dialect.name, table).on_conflict_do_nothing()
