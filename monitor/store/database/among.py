"""A condition on thousands of values as a single parameter.

SQLAlchemy writes out a parameter for each value of ``IN``, and the database parses each of them, which together take
longer than finding the rows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, TypeDecorator, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


def among(column: ColumnElement[str], texts: Collection[str]) -> ColumnElement[bool]:
    """Whether a column of text has one of these values."""
    return column.bool_op("IN")(_Values(bindparam(None, list(texts), type_=_Texts(), unique=True)))


class _Texts(TypeDecorator[list[str]]):
    """Texts as one parameter: an array where the database has such, JSON in SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else postgresql.ARRAY(Text))

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | list[str] | None:
        return json.dumps(value) if dialect.name == "sqlite" else value


class _Values(FunctionElement[str]):
    """A subquery of the single values."""

    type = Text()
    inherit_cache = True


@compiles(_Values, "sqlite")
def _in_sqlite(element: _Values, compiler: SQLCompiler, **how: Any) -> str:
    return f"(SELECT value FROM json_each{compiler.process(element.clause_expr, **how)})"  # noqa: S608 - compiled


@compiles(_Values, "postgresql")
def _in_postgresql(element: _Values, compiler: SQLCompiler, **how: Any) -> str:
    return f"(SELECT unnest{compiler.process(element.clause_expr, **how)})"
