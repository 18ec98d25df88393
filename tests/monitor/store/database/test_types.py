"""Times are stored in UTC and come back with their zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import DateTime, select
from sqlalchemy.dialects import sqlite

from monitor.errors import StoreRefusedError
from monitor.store.database.schema import crops
from monitor.store.database.types import UtcDateTime
from monitor.store.decisions import record
from tests.support.stored_crops import NOW, unreadable

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_a_time_without_a_zone_is_refused_and_others_come_back_in_utc(database: Database) -> None:
    naive = NOW.replace(tzinfo=None)
    with (
        pytest.raises(StoreRefusedError, match="a time without a zone cannot be stored"),
        database.write() as connection,
    ):
        record(connection, [unreadable("1.jpg")._replace(seen_at=naive)])
    moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    with database.write() as connection:
        record(connection, [unreadable("1.jpg")._replace(seen_at=moscow, captured_at=None)])
        seen, captured = connection.execute(select(crops.c.seen_at, crops.c.captured_at)).one()
    assert (seen, seen.tzinfo, captured) == (NOW, UTC, None)


@pytest.mark.parametrize(
    "moment",
    [NOW, datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, 70, UTC), datetime.max.replace(tzinfo=UTC)],
)
def test_sqlite_is_given_the_text_that_its_dialect_makes(moment: datetime) -> None:
    dialect = sqlite.dialect()
    ours, theirs = (kind.dialect_impl(dialect).bind_processor(dialect) for kind in (UtcDateTime(), DateTime()))
    assert ours is not None
    assert theirs is not None
    assert ours(moment) == theirs(moment.replace(tzinfo=None))
    assert ours(None) is None
