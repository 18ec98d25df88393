"""Inserts many rows into SQLite without SQLAlchemy's work for each row, which takes longer than SQLite itself.

SQLAlchemy makes a dictionary of every row and converts every value; here only the columns are converted whose values
have another form in the database, such as times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import StatementError
from sqlalchemy.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Dialect

    from monitor.store.database.upsert import Upsert

# How many converted values of a column are remembered: most rows of a batch have the same few times.
REMEMBERED_VALUES: Final = 64


def insert_many(
    connection: Connection,
    statement: Upsert,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Execute an INSERT for every row; a row has the values of ``columns`` in their order, none of them JSON.

    The statement is compiled once for each object, so pass the same object each time.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(statement, [dict(zip(columns, row, strict=True)) for row in rows])
        return
    text, places = _compiled(statement, columns, connection.dialect)
    by_column = list(zip(*rows, strict=True))
    try:
        values = [
            by_column[place] if form is None else tuple(map(lru_cache(REMEMBERED_VALUES)(form), by_column[place]))
            for place, form in places
        ]
    except ValueError as error:
        # What SQLAlchemy raises for a value that it cannot convert.
        raise StatementError(str(error), text, None, error) from error
    connection.exec_driver_sql(text, list(zip(*values, strict=True)))


@lru_cache(maxsize=16)
def _compiled(
    statement: Upsert, columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, list[tuple[int, Callable[[Any], Any] | None]]]:
    """(SQL text, and for each of its parameters the column's place in a row and the conversion, None for none)."""
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)
    names = compiled.positiontup or []
    assert set(names) == set(columns)  # a constant in the statement would be a parameter without a value
    forms = (statement.table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    return str(compiled), [(columns.index(name), form) for name, form in zip(names, forms, strict=True)]
