"""A model has one active calibration, every earlier one is kept, and what was stored last counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text, update

from monitor.store.calibrations import active_thresholds, add, judged_since, roll_back
from monitor.store.database.schema import calibrations
from tests.support.stored_crops import NOW, add_model, calibrate, make_active

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


def test_the_origin_of_active_thresholds_comes_by_detector(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1", "patchstats")
        make_active(connection, "2", "ae")
        calibrate(connection, add_model(connection, "3", "cvae"))  # calibrated, but not active
        later = NOW + timedelta(days=1)
        add(
            connection, model_id=model.id, rule="r", settings={}, threshold=1.0, evidence={},
            now=later, origin="nightly", fallback=True,
        )  # fmt: skip
        assert active_thresholds(connection) == [("ae", False, NOW), ("patchstats", True, later)]


def test_a_calibration_that_lies_ahead_was_not_judged_by_the_newest_labels(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert judged_since(connection, model.id, NOW) == NOW
        assert judged_since(connection, model.id, NOW - timedelta(seconds=1)) is None


def test_the_threshold_before_is_not_one_of_an_earlier_program_which_stored_no_ends(database: Database) -> None:
    with database.write() as connection:
        model = add_model(connection, "1")
        for threshold in (0.1, 0.2):
            calibrate(connection, model, threshold)
        connection.execute(update(calibrations).values(ended_at=None))
        for threshold in (0.3, 0.4):
            calibrate(connection, model, threshold)
        back = [roll_back(connection, model.id, NOW) for _ in range(2)]
        assert [found and found[1].threshold for found in back] == [0.3, 0.2]
