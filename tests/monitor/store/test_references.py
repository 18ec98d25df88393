"""The references of a model, their ranges, and when they were given."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.store import calibrations
from monitor.store.references import (
    ReferenceRow,
    calibrated_by_hand_at,
    reference_ranges,
    references_of,
    replace_references,
)
from tests.support.stored_crops import NOW, add_model

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.calibrations import Origin, State
    from monitor.store.database.engine import Database

DAY = timedelta(days=1)


def add(connection: Connection, at: datetime, *, origin: Origin = "calibrate", state: State = "active") -> None:
    calibrations.add(
        connection, model_id=1, rule="r", settings={}, threshold=1.0, evidence={}, now=at, origin=origin, state=state
    )


def test_only_calibrations_from_labelled_folders_that_were_accepted_count(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        assert calibrated_by_hand_at(connection, 1) is None
        add(connection, NOW)
        add(connection, NOW + DAY, state="refused")
        add(connection, NOW + 2 * DAY, origin="nightly")
        add(connection, NOW + 3 * DAY, origin="set")
        assert calibrated_by_hand_at(connection, 1) == NOW
        add(connection, NOW + 4 * DAY)
        assert calibrated_by_hand_at(connection, 1) == NOW + 4 * DAY
        assert calibrated_by_hand_at(connection, 99) is None


def test_after_a_clock_that_ran_ahead_the_calibration_that_was_stored_last_counts(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        add(connection, NOW + 3650 * DAY)  # by a clock that was ten years ahead
        add(connection, NOW)  # again, once it was corrected
        assert calibrated_by_hand_at(connection, 1) == NOW


def test_references_replace_those_before_and_come_in_the_order_of_their_digests(database: Database) -> None:
    rows = [
        ReferenceRow("c", "proliv", 4.0, "C1", NOW, 0.5),
        ReferenceRow("a", "ne_proliv", 0.0, None, None, 0.25),
        ReferenceRow("b", "ne_proliv", 0.5, "C2", NOW, None),
    ]
    with database.write() as connection:
        add_model(connection, "1")
        add_model(connection, "2")
        replace_references(connection, 1, [ReferenceRow("z", "proliv", 9.0, None, None)])
        replace_references(connection, 1, rows)
        replace_references(connection, 2, [ReferenceRow("a", "proliv", 7.0, None, None)])
        assert references_of(connection, 1) == sorted(rows)
        assert references_of(connection, 2) == [("a", "proliv", 7.0, None, None, None)]
        assert reference_ranges(connection, 1) == ((0.0, 0.5, 4.0), (0.25, 0.25, 0.5))
        assert reference_ranges(connection, 2) == ((7.0, 7.0, 7.0), None)
        assert reference_ranges(connection, 3) == (None, None)
