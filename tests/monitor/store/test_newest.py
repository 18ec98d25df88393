from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitor.store.decisions import record
from monitor.store.newest import decided_by_minute, newest_id, newest_latencies, newest_of_holes, seen_before
from tests.support.stored_crops import crop, decided, decision, failed, make_active

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

NOON = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)


def store(database: Database, *rows: Any) -> None:
    with database.write() as connection:
        record(connection, rows)


def test_of_each_hole_the_newest_crops_within_a_span_of_ids(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        score = decision(model.id, model.calibration_id)
    rows = [decided(f"{number}.jpg", "a", score)._replace(hole=number % 2) for number in range(10)]
    no_hole = decided("no hole.jpg", "a", score)._replace(hole=None)
    by_hand = decided("by hand.jpg", "a", score)._replace(hole=5, source="folder")
    other = failed(crop("other.jpg", "b", hole=0, camera=None))
    store(database, *rows, no_hole, by_hand, other)
    with database.read() as connection:
        newest = newest_id(connection)
        found = newest_of_holes(connection, 0, newest, 2)
        assert [(one.id, one.camera, one.hole, one.state) for one in found] == [
            (7, "C", 0, "scored"),
            (8, "C", 1, "scored"),
            (9, "C", 0, "scored"),
            (10, "C", 1, "scored"),
            (13, None, 0, "failed"),
        ]
        assert (found[0].score, found[0].threshold, found[-1].score) == (0.001, 0.002, None)
        assert [one.id for one in newest_of_holes(connection, 2, 5, 1)] == [4, 5]
        assert newest_latencies(connection, 8) == [0.25] * 3


def test_an_empty_store_has_none(database: Database) -> None:
    with database.read() as connection:
        assert newest_id(connection) == 0
        assert newest_of_holes(connection, 0, 0, 3) == []
        assert seen_before(connection, 10) is None
        assert decided_by_minute(connection, NOON, 3) == [0, 0, 0]


def test_decisions_are_counted_by_whole_minutes(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        score = decision(model.id, model.calibration_id)
    ages = (10, 35, 40, 95, 155, 215)
    rows = [decided(f"{age}.jpg", "a", score)._replace(seen_at=NOON - timedelta(seconds=age)) for age in ages]
    store(database, *rows, failed(crop("f.jpg", "b", seen_at=NOON - timedelta(seconds=35))))
    with database.read() as connection:
        # The minute that runs is not whole, and what is older than the first one is left out.
        assert decided_by_minute(connection, NOON, 3) == [1, 1, 2]
        assert seen_before(connection, 2) == rows[1].seen_at
