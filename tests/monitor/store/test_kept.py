"""Crops whose content has to be kept: who owes it, and that it is owed once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.store import decisions, kept, labelled_files
from monitor.store.audits import add_audit
from monitor.store.labels import NewLabel, add_labels, labels_of_contents
from tests.support.stored_crops import NOW, crop, decided, decision, failed, make_active, unreadable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database


def due(connection: Connection) -> list[int]:
    return [row.crop_id for row in kept.owed(connection, datetime.now(UTC), 100)]


def store(connection: Connection) -> None:
    """Four decided crops, a failed one, and one that was never read."""
    model = make_active(connection, "1")
    assert model.calibration_id is not None
    passed = decision(model.id, model.calibration_id)
    rows = [decided(f"{name}.jpg", name, passed) for name in "abcd"]
    decisions.record(connection, [*rows, failed(crop("e.jpg", "e")), unreadable("f.jpg")])


def label(crop_id: int, undoes: int | None = None) -> NewLabel:
    return NewLabel(crop_id, "proliv", "command", "anna", NOW, None, False, undoes)


def test_labelled_and_audited_crops_are_owed(database: Database) -> None:
    with database.write() as connection:
        store(connection)
        add_labels(connection, [label(1), label(6)])
        assert due(connection) == [1]
        add_audit(connection, author="anna", first=1, last=4, eligible=3, drawn=[2], unusual=None)
        assert due(connection) == [1, 2]
        model = make_active(connection, "2", "other")
        assert model.calibration_id is not None
        new = decided("new.jpg", "9", decision(model.id, model.calibration_id))
        labelled_files.take_labelled(connection, [("proliv", crop("x.jpg", "c")), ("proliv", new)])
        assert due(connection)[:3] == [1, 2, 3]
        assert len(due(connection)) == 4


def test_taking_a_label_back_owes_nothing(database: Database) -> None:
    with database.write() as connection:
        store(connection)
        add_labels(connection, [label(1)])
        kept.keep(connection, {1: ("a" * 64, b"one")})
        (given,) = labels_of_contents(connection, ["a" * 64])["a" * 64]
        add_labels(connection, [label(2, undoes=given.id)])
        assert due(connection) == []


def test_what_is_kept_stays_kept_and_what_was_given_up_is_owed_again(database: Database) -> None:
    with database.write() as connection:
        store(connection)
        kept.owe(connection, [1, 2], NOW)
        kept.keep(connection, {1: ("a" * 64, b"one")})
        kept.give_up(connection, {2: "why", 1: "no"}, "gone", NOW)
        assert kept.kept_of(connection, [1, 2])[2] == (2, "gone", None, "why")
        kept.owe(connection, [1, 2], NOW)
        assert due(connection) == [2]
        assert kept.content(connection, "a" * 64) == b"one"


def test_what_is_wrong_is_found(database: Database) -> None:
    with database.write() as connection:
        store(connection)
        kept.owe(connection, [1, 2], NOW)
        kept.keep(connection, {1: ("a" * 64, b"one")})
        kept.put_off(connection, {2: "it may not be read"}, NOW)
        assert kept.unused(connection) == []
        assert kept.owed_since(connection, NOW) == []
        assert kept.owed_since(connection, datetime.now(UTC)) == [("/inbox/b.jpg", "it may not be read")]
        connection.exec_driver_sql("delete from kept_crops")
        assert kept.unused(connection) == ["a" * 64]
