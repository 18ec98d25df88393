"""Many rows by one statement, without what SQLAlchemy does for each, which takes longer than SQLite itself.

Its own way makes a dictionary of every row and looks at every value; here only those values are turned whose column has
another form in the database, as times have.
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

EQUAL_TIMES: Final = 64
"""So many different times of a batch are remembered in their form: most rows of a batch have the same ones."""

# Values of one statement: both databases limit how many it may hold.
CHUNK: Final = 500


def insert_many(
    connection: Connection,
    statement: Upsert,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Execute an INSERT for every row, which has the values of ``columns`` in their order, none of them JSON.

    The statement is compiled once, so the same object should be given each time.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(statement, [dict(zip(columns, row, strict=True)) for row in rows])
        return
    text, places = _compiled(statement, columns, connection.dialect)
    by_column = list(zip(*rows, strict=True))
    try:
        values = [
            by_column[place] if form is None else tuple(map(lru_cache(EQUAL_TIMES)(form), by_column[place]))
            for place, form in places
        ]
    except ValueError as error:
        # As SQLAlchemy itself says that a value has no form.
        raise StatementError(str(error), text, None, error) from error
    connection.exec_driver_sql(text, list(zip(*values, strict=True)))


@lru_cache(maxsize=16)
def _compiled(
    statement: Upsert, columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, list[tuple[int, Callable[[Any], Any] | None]]]:
    """The statement in SQLite's words; for each of its parameters, the column's place in a row and what forms it."""
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)
    names = compiled.positiontup or []
    assert set(names) == set(columns)  # a constant in the statement would be one more, without a value
    forms = (statement.table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    return str(compiled), [(columns.index(name), form) for name, form in zip(names, forms, strict=True)]
