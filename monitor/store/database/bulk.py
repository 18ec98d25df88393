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
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection, Dialect

    from monitor.store.database.upsert import Upsert

# How many converted values of a column are remembered: most rows of a batch have the same few times.
REMEMBERED_VALUES: Final = 64


def insert_many(connection: Connection, statement: Upsert, values: Mapping[str, Sequence[Any]]) -> None:
    """Execute an INSERT for every row; ``values``: of each column those of all rows, none of them JSON.

    The statement is compiled once for each object, so pass the same object each time.
    """
    if connection.dialect.name != "sqlite":
        rows = zip(*values.values(), strict=True)
        connection.execute(statement, [dict(zip(values, row, strict=True)) for row in rows])
        return
    text, forms = _compiled(statement, tuple(values), connection.dialect)
    try:
        columns = [
            values[name] if form is None else list(map(lru_cache(REMEMBERED_VALUES)(form), values[name]))
            for name, form in forms
        ]
    except ValueError as error:
        # What SQLAlchemy raises for a value that it cannot convert.
        raise StatementError(str(error), text, None, error) from error
    connection.exec_driver_sql(text, list(zip(*columns, strict=True)))


@lru_cache(maxsize=16)
def _compiled(
    statement: Upsert, columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
    """(SQL text, and for each of its parameters the column's name and the conversion, None for none)."""
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)
    names = compiled.positiontup or []
    assert set(names) == set(columns)  # a constant in the statement would be a parameter without a value
    return str(compiled), [
        (name, statement.table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names
    ]
