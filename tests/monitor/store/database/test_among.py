"""Rows are found by many values that go to the database as one parameter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import event, insert, select

from monitor.store.database.among import among
from monitor.store.database.schema import crops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.database.engine import Database

PATHS = ["/plain", "/a 'quoted' \"one\"", "/лунка/ё", "/back\\\\slash\\n", "/{curly, }", "/%s", "/null", "/\U0001f525"]


def store(database: Database, paths: Sequence[str]) -> None:
    noon = datetime(2023, 3, 1, tzinfo=UTC)
    columns = {"sha256": "a", "seen_at": noon, "size_bytes": 1, "mtime_ns": 1, "state": "scored"}
    with database.write() as connection:
        connection.execute(insert(crops), [{"path": path, **columns} for path in paths])


def test_exactly_these_values_are_found(database: Database) -> None:
    store(database, PATHS)
    query = select(crops.c.path)
    with database.read() as connection:
        for path in PATHS:
            assert connection.execute(query.where(among(crops.c.path, [path]))).scalars().all() == [path]
        every = connection.execute(query.where(among(crops.c.path, {*PATHS, "/absent"}))).scalars()
        assert sorted(every) == sorted(PATHS)
        assert not connection.execute(query.where(among(crops.c.path, ["/absent", "/PLAIN", "null"]))).all()
        assert not connection.execute(query.where(among(crops.c.path, []))).all()


def test_any_number_of_values_is_one_parameter(database: Database) -> None:
    wanted = [f"/crop {number}" for number in range(70_000)]  # more than either database takes parameters
    store(database, wanted[::7000])
    executed: list[int] = []
    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *call: executed.append(len(call[3])))
        found = connection.execute(select(crops.c.path).where(among(crops.c.path, wanted))).scalars().all()
    assert sorted(found) == sorted(wanted[::7000])
    assert executed == [1]
