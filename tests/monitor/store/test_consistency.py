"""Rows that contradict each other are found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import delete, text, update

from monitor.store.consistency import (
    failed_without_reason,
    orphans,
    scored_without_scores,
    scored_without_verdict,
    wrongly_unusual,
)
from monitor.store.database.schema import crops, scores
from monitor.store.decisions import record
from tests.support.stored_crops import crop, decided, decision, failed, make_active, opened

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.database.engine import Database


def test_crops_without_what_their_state_calls_for_are_found(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        passed = decision(model.id, model.calibration_id)
        alarm = decision(model.id, model.calibration_id, mse=0.5)
        record(
            connection,
            [
                *(decided(f"{name}.jpg", name, passed) for name in "abc"),
                decided("d.jpg", "d", alarm),
                failed(crop("e.jpg", "e")),
            ],
        )
        assert scored_without_scores(connection) == scored_without_verdict(connection) == []
        assert failed_without_reason(connection) == []

        connection.execute(update(crops).where(crops.c.path == "/inbox/b.jpg").values(verdict=None))
        # Retention deletes the scores of alarms; those of other crops are only ever deleted by hand.
        connection.execute(delete(scores).where(scores.c.crop_id.in_([2, 3, 4])))
        assert scored_without_scores(connection) == ["/inbox/b.jpg", "/inbox/c.jpg"]
        assert scored_without_verdict(connection) == ["/inbox/b.jpg"]


def test_crops_that_are_marked_unusual_and_are_not_are_found(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        passed = decision(first.id, first.calibration_id)
        other = decision(second.id, second.calibration_id, mse=0.5)
        record(connection, [decided(f"{name}.jpg", name, passed, other) for name in "abcd"])
        record(connection, [decided("e.jpg", "e", passed), failed(crop("f.jpg", "f"))])
        assert wrongly_unusual(connection) == []

        connection.execute(update(crops).where(crops.c.path == "/inbox/a.jpg").values(verdict="proliv"))
        connection.execute(update(scores).where(scores.c.crop_id == 2).values(verdict="ne_proliv"))
        # What was kept of the scores cannot tell.
        connection.execute(delete(scores).where(scores.c.crop_id == 3))
        connection.execute(update(crops).where(crops.c.path.in_(["/inbox/e.jpg", "/inbox/f.jpg"])).values(unusual=True))
        assert wrongly_unusual(connection) == [f"/inbox/{name}.jpg" for name in "abef"]


def test_a_failed_crop_without_a_reason_is_found_where_the_constraint_was_removed(database: Database) -> None:
    drop = "alter table crops drop constraint ck_crops_reason"
    with database.write() as connection:
        record(connection, [failed(crop("1.jpg")), failed(crop("2.jpg"))])
        connection.execute(text(drop if database.file is None else "pragma ignore_check_constraints = on"))
        connection.execute(update(crops).where(crops.c.path == "/inbox/2.jpg").values(reason=None))
        assert failed_without_reason(connection) == ["/inbox/2.jpg"]


def test_rows_that_refer_to_nothing_are_counted_by_column(database: Database) -> None:
    with database.read() as connection:
        assert orphans(connection) == {}


def test_a_row_whose_crop_is_gone_is_found(sqlite_file: Path) -> None:
    values = "(7, 'proliv', 'command', '2024-05-01', false)"
    with closing(sqlite3.connect(sqlite_file)) as connection, connection:
        connection.execute(f"insert into labels (crop_id, label, source, at, settles) values {values}")
    with opened(f"sqlite:///{sqlite_file}") as database, database.read() as reading:
        assert orphans(reading) == {"labels.crop_id": 1}
