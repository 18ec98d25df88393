"""Reads the rows of a query as named tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import FromClause, Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

RowType = TypeVar("RowType", bound=NamedTuple)

# How many values a query looks up at once: both databases limit the parameters of a statement.
VALUES_AT_ONCE: Final = 500
# How many rows of a streamed result memory holds.
ROWS_AT_ONCE: Final = 1000


def columns_of(table: FromClause, row_type: type[NamedTuple]) -> list[ColumnElement[Any]]:
    """The table's columns that have the names of the fields of ``row_type``, in that order."""
    return [table.c[name] for name in row_type._fields]


def select_rows(connection: Connection, row_type: type[RowType], query: Select[Any]) -> list[RowType]:
    """All rows of a query whose columns are the fields of ``row_type``, in that order."""
    return list(map(row_type._make, connection.execute(query)))


def stream_rows(connection: Connection, row_type: type[RowType], query: Select[Any]) -> Iterator[RowType]:
    """The same one row at a time, for results of any size: memory holds `ROWS_AT_ONCE` of them."""
    return map(row_type._make, connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}))
