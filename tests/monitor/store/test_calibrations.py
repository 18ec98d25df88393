"""A model has one active calibration, and every earlier one is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.support.stored_crops import add_model, calibrate

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_a_new_calibration_supersedes_the_one_before(database: Database) -> None:
    with database.write() as connection:
        model = calibrate(connection, add_model(connection, "1"), 0.1)
        assert model.threshold == 0.1
        again = calibrate(connection, model, 0.2)
        assert (again.threshold, again.rule) == (0.2, "balanced")
        states = connection.execute(text("select threshold, state from calibrations order by id")).all()
        assert states == [(0.1, "superseded"), (0.2, "active")]
