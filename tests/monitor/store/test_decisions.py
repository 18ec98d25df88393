"""Crops and decisions are stored once, whatever is repeated, and come back as they were."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import event, select

from monitor.store.counts import count_crops
from monitor.store.crops import known_crops
from monitor.store.database.schema import crops, scores
from monitor.store.decisions import record, stored_scores
from monitor.store.traffic import unusual_since
from tests.support.stored_crops import (
    NOW,
    crop,
    decided,
    decision,
    failed,
    finals,
    make_active,
    states,
    unreadable,
    unusual,
)

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_recording_twice_changes_nothing_and_tells_only_of_new_decisions(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
    assert first.calibration_id is not None
    assert second.calibration_id is not None
    one, two = decision(first.id, first.calibration_id), decision(second.id, second.calibration_id, mse=0.5)
    scored = crop("1.jpg", scores=(one,))
    broken = failed(crop("2.jpg", "b"))

    with database.write() as connection:
        recorded = record(connection, [scored, broken])
        assert recorded.decided == {(scored.path, scored.sha256): {first.id}}
        ids = {(row.path, row.sha256): row.id for row in connection.execute(select(crops))}
        assert recorded.ids == ids
        assert len(ids) == 2
    with database.write() as connection:
        before = connection.execute(select(scores)).all()
        later = one._replace(mse=0.9, score=0.9, verdict="proliv")
        again = record(connection, [scored._replace(scores=(later,)), broken])
        assert (again.decided, again.ids) == ({}, ids)
        assert connection.execute(select(scores)).all() == before
    with database.write() as connection:
        both = scored._replace(scores=(one, two))
        assert record(connection, [both, both]).decided == {(scored.path, scored.sha256): {second.id}}
        assert states(connection) == [("/inbox/1.jpg", "a", "scored"), ("/inbox/2.jpg", "b", "failed")]
        assert record(connection, []).decided == {}


def test_the_final_decision_changes_only_with_a_new_decision_of_a_model(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        low = decision(first.id, first.calibration_id)
        high = decision(second.id, second.calibration_id, mse=0.5)
        record(connection, [failed(crop("1.jpg")), decided("2.jpg", "b", low), decided("3.jpg", "c", high)])
        passed, caught = ("ne_proliv", 0.001, 0.002, "primary"), ("proliv", 0.5, 0.002, "primary")
        assert finals(connection) == [(None, None, None, None), passed, caught]

        # Nothing is new: the same again, other words of the same model, a failure.
        later = low._replace(score=0.9, verdict="proliv")
        record(connection, [decided("2.jpg", "b", low), failed(crop("3.jpg", "c"))])
        record(connection, [decided("2.jpg", "b", later, by="all"), failed(crop("1.jpg"))])
        assert finals(connection) == [(None, None, None, None), passed, caught]

        # Another model decides, and a failed crop is decided for the first time.
        record(connection, [decided("2.jpg", "b", high, low, by="any"), decided("1.jpg", "a", low, by="any")])
        assert finals(connection) == [("ne_proliv", 0.001, 0.002, "any"), (*caught[:3], "any"), caught]
    with database.read() as connection:
        assert count_crops(connection).final == {"proliv": 2, "ne_proliv": 1}


def test_a_crop_is_unusual_as_it_was_decided_last(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        low = decision(first.id, first.calibration_id)
        high = decision(second.id, second.calibration_id, mse=0.5)
        record(connection, [decided("1.jpg", "a", low, high), decided("2.jpg", "b", low), failed(crop("3.jpg", "c"))])
        record(connection, [decided("4.jpg", "d", high, low)])
        assert unusual(connection) == [True, False, False, False]

        # Nothing is new: a later threshold, or a failure, leaves it as it was.
        other = low._replace(score=0.9, verdict="proliv")
        record(connection, [decided("1.jpg", "a", other, high), failed(crop("1.jpg")), decided("2.jpg", "b", low)])
        assert unusual(connection) == [True, False, False, False]

        # Another model decides, and a failed crop is decided for the first time.
        record(connection, [decided("2.jpg", "b", low, high), decided("3.jpg", "c", low, high)])
        assert unusual(connection) == [True, True, True, False]
        found = [unusual_since(connection, since) for since in (None, NOW, NOW + timedelta(seconds=1))]
        assert found == [3, 3, 0]


def test_a_model_that_decided_before_makes_a_crop_unusual_by_the_verdict_that_stands(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        passed = decision(first.id, first.calibration_id)
        record(connection, [decided("1.jpg", "a", passed)])
        # Its threshold was lowered since; what it says today is not stored.
        today, new = passed._replace(threshold=0.0005, verdict="proliv"), decision(second.id, second.calibration_id)
        record(connection, [decided("1.jpg", "a", new, today)])
        assert unusual(connection) == [False]
        assert stored_scores(connection, [1], [first.id])[1][0].verdict == "ne_proliv"


def test_one_crop_twice_in_a_batch_has_one_final_decision(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        one, two = decision(first.id, first.calibration_id), decision(second.id, second.calibration_id, mse=0.5)
        record(connection, [decided("1.jpg", "a", one), decided("1.jpg", "a", one, by="any")])
        assert finals(connection) == [("ne_proliv", 0.001, 0.002, "primary")]
        record(connection, [decided("1.jpg", "a", two, one, by="any")] * 2)
        assert finals(connection) == [("proliv", 0.5, 0.002, "any")]


def test_a_batch_of_new_crops_takes_no_statement_for_replacing(database: Database) -> None:
    statements: list[str] = []
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id)
        event.listen(database.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
        record(connection, [decided(f"{number}.jpg", "a", one) for number in range(3)])
        words = [statement.split()[0].lower() for statement in statements]
        assert [word for word in words if word not in {"begin", "commit"}] == [
            *("select", "insert", "select", "insert")
        ]


def test_a_file_that_becomes_readable_is_the_same_crop(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        record(connection, [unreadable("1.jpg"), unreadable("2.jpg")])
        record(connection, [unreadable("1.jpg")])
        record(connection, [crop("1.jpg", scores=(decision(model.id, model.calibration_id),))])
        assert sorted(states(connection)) == [("/inbox/1.jpg", "a", "scored"), ("/inbox/2.jpg", "", "failed")]


def test_a_failure_never_overwrites_a_decision_but_a_decision_does_a_failure(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        scored = crop("1.jpg", scores=(decision(model.id, model.calibration_id),))
        record(connection, [scored])
        record(connection, [failed(scored, "too_large")])
        kept = connection.execute(select(crops.c.state, crops.c.reason, crops.c.error, crops.c.width)).all()
        assert kept == [("scored", None, None, 50)]

        record(connection, [failed(crop("2.jpg", "b"), "too_large")])
        record(connection, [scored._replace(path="/inbox/2.jpg", sha256="b" * 64)])
        assert states(connection)[1] == ("/inbox/2.jpg", "b", "scored")
        assert connection.execute(select(crops.c.reason).where(crops.c.state == "scored")).scalars().all() == [None] * 2


def test_the_largest_batch_fits_into_one_transaction(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id)
        rows = [crop(f"{number}.jpg", scores=(one,)) for number in range(4096)]
        assert len(record(connection, rows).decided) == len(rows)
        known = known_crops(connection, [row.path for row in rows])
        assert len(known) == len(rows)
        ids = [row.id for found in known.values() for row in found]
        assert len(stored_scores(connection, ids, [model.id])) == len(rows)


def test_a_model_in_the_shadow_changes_no_decision_and_is_no_news(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        low = decision(first.id, first.calibration_id)
        high = decision(second.id, second.calibration_id, mse=0.5)._replace(verdict="proliv")
        tried = decided("1.jpg", "a", low)._replace(trials=(high,))
        recorded = record(connection, [tried])
        assert recorded.decided == {(tried.path, tried.sha256): {first.id}}
        before = finals(connection)
        record(connection, [decided("2.jpg", "b", low)])
        # Its decision on a crop that was decided before is stored, and the final one stays.
        again = decided("2.jpg", "b", low)._replace(trials=(high,))
        assert record(connection, [again]).decided == {}
        assert finals(connection) == before * 2
        assert connection.execute(select(scores.c.model_id).order_by(scores.c.crop_id, scores.c.model_id)).all() == [
            (first.id,), (second.id,), (first.id,), (second.id,),
        ]  # fmt: skip
        # A crop that no deciding model could score is failed, whatever the one in the shadow says.
        record(connection, [failed(crop("3.jpg", "c"))._replace(trials=(high,))])
        assert states(connection)[-1] == ("/inbox/3.jpg", "c", "failed")
        assert len(connection.execute(select(scores.c.model_id)).all()) == 4
