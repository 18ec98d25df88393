"""Many rows at once are stored as SQLAlchemy stores them one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from monitor.errors import StoreRefusedError
from monitor.store.database.bulk import insert_many
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from monitor.store.database.upsert import upsert
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2023, 3, 1, 12, 0, 0, 929, tzinfo=UTC)
COLUMNS = (
    "sha256",
    "path",
    "seen_at",
    "size_bytes",
    "mtime_ns",
    "hole",
    "captured_at",
    "decision_score",
    "state",
    "reason",
)
ROWS = [
    ("a", "/one 'ж'", NOON, 1, 2**63 - 1, 7, NOON.astimezone(timezone(timedelta(hours=3))), 0.1, "scored", None),
    ("b", "/two", NOON, 2, -1, None, None, None, "failed", "empty"),
    ("c", "/three", NOON + timedelta(seconds=1), 3, 0, 0, NOON, 1e-300, "scored", None),
]
VALUES = dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/monitor.db", busy_seconds=1)
    upgrade(database)
    return database


def test_rows_are_stored_as_one_by_one(database: Database) -> None:
    columns = [crops.c[name] for name in COLUMNS]
    with database.write() as connection:
        connection.execute(insert(crops), [dict(zip(COLUMNS, row, strict=True)) for row in ROWS])
        expected = connection.execute(select(*columns).order_by(crops.c.path)).all()
        raw = connection.exec_driver_sql("select * from crops order by path").all()
        connection.exec_driver_sql("delete from crops")
        insert_many(connection, upsert("sqlite", crops), VALUES)
        assert connection.execute(select(*columns).order_by(crops.c.path)).all() == expected
        assert connection.exec_driver_sql("select * from crops order by path").all() == raw


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = {**VALUES, "seen_at": [NOON.replace(tzinfo=None)] * len(ROWS)}
    with pytest.raises(StoreRefusedError, match="without a zone"), database.write() as connection:
        insert_many(connection, upsert("sqlite", crops), naive)
