"""The crops of a hole are found in the order in which they came, in a bounded number of steps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.store import neighbours
from monitor.store.database.schema import score_summaries
from monitor.store.decisions import record
from monitor.store.neighbours import Hole
from monitor.store.summaries import summaries_of_group
from tests.support.stored_crops import NOW, crop, decided, decision, failed, make_active

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

C7, C8, NONE = Hole("C", 7), Hole("C", 8), Hole(None, None)


@pytest.fixture
def filled(database: Database) -> Database:
    """Crops 1 to 30: in turn of C 7, C 8 and no hole, one each minute; the last one failed, and one was scored by hand.

    A number is that of its minute.
    """
    with database.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        made = decision(model.id, model.calibration_id)
        for number in range(1, 31):
            hole = (C7, C8, NONE)[(number - 1) % 3]
            at = NOW + timedelta(minutes=number)
            row = decided(f"{number}.jpg", "a", made) if number < 30 else failed(crop("30.jpg", "a"))
            row = row._replace(
                sha256=f"{number:064}", camera=hole.camera, hole=hole.hole, seen_at=at, captured_at=None,
                source="folder" if number == 4 else "inbox",
            )  # fmt: skip
            record(connection, [row])
    return database


def test_neighbours_are_of_the_same_hole(filled: Database) -> None:
    with filled.read() as connection:
        assert [row.id for row in neighbours.before(connection, C7, 10, 2)] == [1, 7]
        assert [row.id for row in neighbours.after(connection, C7, 10, 2)] == [13, 16]
        assert [row.id for row in neighbours.before(connection, C8, 10, 2)] == [5, 8]
        assert [row.id for row in neighbours.newest_of(connection, NONE, 3)] == [24, 27, 30]
        assert neighbours.newest_of(connection, NONE, 1)[0].verdict is None
        assert neighbours.newest_of(connection, Hole("C", None), 1) == []
        assert neighbours.before(connection, C7, 1, 5) == neighbours.after(connection, C7, 28, 5) == []


def test_no_more_crops_are_gone_through_than_may_be(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "WALK", 6)
    monkeypatch.setattr(neighbours, "WALK_OF_ALL", 2)
    with filled.read() as connection:
        assert [row.id for row in neighbours.before(connection, C7, 16, 5)] == [10, 13]
        assert [row.id for row in neighbours.after(connection, C7, 16, 5)] == [19, 22]
        assert [one.id for one in neighbours.last_of_holes(connection)] == [29]
        found, start = neighbours.of_time(connection, C8, NOW, NOW + timedelta(minutes=30))
    assert ([row.id for row in found], start) == ([26, 29], NOW + timedelta(minutes=23))


def test_a_time_has_its_own_crops(filled: Database) -> None:
    with filled.read() as connection:
        since, until = NOW + timedelta(minutes=7), NOW + timedelta(minutes=13)
        found, start = neighbours.of_time(connection, C7, since, until)
        assert ([row.id for row in found], start) == ([7, 10], since)
        assert found[0].at == since
        assert neighbours.of_time(connection, C7, until, since) == ([], until)


def test_every_hole_has_its_last_crop(filled: Database) -> None:
    with filled.read() as connection:
        assert neighbours.last_of_holes(connection) == [("C", 7, 9, 28), ("C", 8, 10, 29)]
        assert set(neighbours.by_ids(connection, [28, 99])) == {28}
        assert neighbours.alarm_of(connection, 28) is None


def test_an_empty_store_has_no_hole(database: Database) -> None:
    with database.read() as connection:
        assert not neighbours.last_of_holes(connection)
        assert not neighbours.newest_of(connection, C7, 3)
        assert not neighbours.was_seen(connection, C7)


def test_a_hole_is_known_by_its_hours(filled: Database) -> None:
    columns = {"model_id": 1, "camera": "C", "hole": 7, "crops": 3, "proliv": 0, "quantiles": [0.5] * 21}
    with filled.write() as connection:
        for number in range(3):
            connection.execute(score_summaries.insert(), {**columns, "hour": NOW + timedelta(hours=number)})
        assert neighbours.was_seen(connection, C7)
        assert not neighbours.was_seen(connection, C8)
        found = summaries_of_group(connection, 1, ("C", 7), NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert [one.hour for one in found] == [NOW + timedelta(hours=1)]
