"""Draws of crops at random, in a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.labels.audits import draw, draw_audit, eligible
from monitor.labels.labels import read
from monitor.store.audits import drawn_crop_times, drawn_crops
from monitor.store.database.schema import audits
from monitor.words import Label
from tests.monitor.labels.conftest import crop, say

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database


def test_a_labelled_crop_of_a_draw_stands_for_its_share_of_what_was_drawn_from(connection: Connection) -> None:
    for number in range(30):
        crop(connection, f"passed{number}")
    crop(connection, "alarm", verdict="proliv")
    say(connection, crop(connection, "labelled before"), Label.NE_PROLIV, "anna", minute=0)
    done = draw(connection, 6, author="anna", seed=1)
    assert done is not None
    assert (done.eligible, len(done.crops)) == (30, 6)
    for drawn in done.crops[:3]:
        say(connection, drawn.id, Label.NE_PROLIV, "anna", minute=1)
    weights = {one.id: one.weight for one in read(connection).crops}
    assert [weights.pop(drawn.id) for drawn in done.crops[:3]] == [10.0] * 3
    assert list(weights.values()) == [1.0]
    assert [one.id for one in drawn_crops(connection)] == [one.id for one in done.crops[3:]]


def test_the_others_of_a_draw_stand_for_a_crop_whose_labels_contradict_each_other(connection: Connection) -> None:
    for number in range(30):
        crop(connection, f"passed{number}")
    done = draw(connection, 3, author="anna", seed=1)
    assert done is not None
    for drawn in done.crops:
        say(connection, drawn.id, Label.NE_PROLIV, "anna", minute=1)
    say(connection, done.crops[0].id, Label.PROLIV, "boris", minute=2)
    assert [one.weight for one in read(connection).agreed()] == [15.0] * 2
    for drawn in done.crops[1:]:
        say(connection, drawn.id, Label.PROLIV, "boris", minute=2)
    assert read(connection).agreed() == []


def test_draws_never_overlap_and_take_each_content_once(connection: Connection) -> None:
    ids = [crop(connection, f"a{number}", f"content{number % 5}") for number in range(10)]
    crop(connection, "broken", failed=True)
    crop(connection, "with label", source="labelled")
    crop(connection, "by hand", source="folder")
    first = draw(connection, 100, author=None)
    assert first is not None
    assert [one.id for one in first.crops] == ids[:5]
    assert draw(connection, 100, author=None) is None
    assert connection.execute(audits.select()).all()[0][3:] == (1, 13, 5, False)
    crop(connection, "old content", "content3")  # it was eligible before
    crop(connection, "scored by hand before", "new content", source="folder")
    new = crop(connection, "new", "new content")
    second = draw(connection, 100, author=None)
    assert second is not None
    assert (second.eligible, [one.id for one in second.crops]) == (1, [new])


def fill(connection: Connection, unusual: int, others: int) -> tuple[list[int], list[int]]:
    kinds = ([crop(connection, f"u{number}", unusual=True) for number in range(unusual)],)
    return *kinds, [crop(connection, f"o{number}") for number in range(others)]


def test_unusual_crops_are_drawn_apart_and_come_first(connection: Connection) -> None:
    unusual, others = fill(connection, 8, 40)
    done = draw(connection, 10, author="anna", seed=1)
    assert done is not None
    assert done.eligible == 48
    assert [part[1:] for part in done.parts] == [(8, 5, True), (40, 5, False)]
    assert [one.unusual for one in done.crops] == [True] * 5 + [False] * 5
    assert {one.id for one in done.crops[:5]} <= set(unusual)
    assert {one.id for one in done.crops[5:]} <= set(others)
    assert [tuple(row[3:]) for row in connection.execute(audits.select())] == [(1, 48, 8, True), (1, 48, 40, False)]
    assert drawn_crops(connection) == done.crops
    for drawn in done.crops:
        say(connection, drawn.id, Label.NE_PROLIV, "anna", minute=1)
    weights = {one.id: (one.unusual, one.weight) for one in read(connection).crops}
    assert [weights[drawn.id] for drawn in done.crops] == [(True, 8 / 5)] * 5 + [(False, 8.0)] * 5
    assert draw(connection, 10, author="anna") is None


@pytest.mark.parametrize(
    ("count", "unusual", "others", "drawn"),
    [
        (2, 9, 9, [1, 1]),
        (3, 9, 9, [1, 2]),
        (10, 2, 9, [2, 8]),
        (10, 9, 3, [7, 3]),
        (10, 9, 0, [9]),
        (10, 0, 9, [9]),
        (10, 3, 4, [3, 4]),
    ],
)
def test_a_draw_takes_half_of_the_unusual_crops_unless_there_are_not_enough_of_a_kind(
    connection: Connection, count: int, unusual: int, others: int, drawn: list[int]
) -> None:
    fill(connection, unusual, others)
    done = draw(connection, count, author=None)
    assert done is not None
    assert [part.drawn for part in done.parts] == drawn
    assert sum(drawn) == min(count, unusual + others)


def test_a_single_crop_is_drawn_from_both_kinds_together(connection: Connection) -> None:
    unusual, others = fill(connection, 3, 3)
    found = set()
    for seed in range(40):
        point = connection.begin_nested()
        done = draw(connection, 1, author=None, seed=seed)
        assert done is not None
        assert [part[1:] for part in done.parts] == [(6, 1, None)]
        found.add(done.crops[0].id)
        point.rollback()
    assert found == {*unusual, *others}


def test_a_draw_stays_what_it_was_if_its_crop_becomes_unusual(connection: Connection) -> None:
    fill(connection, 2, 2)
    assert draw(connection, 4, author=None) is not None
    connection.exec_driver_sql("update crops set unusual = not unusual")
    assert sum(one.unusual for one in drawn_crop_times(connection).values()) == 2
    assert [row.id for row in connection.execute(audits.select()) if row.unusual] == [1]
    assert [one.audit for one in drawn_crops(connection)] == [2, 2, 1, 1]


def test_what_was_eligible_before_another_draw_is_not_drawn_from_again(connection: Connection) -> None:
    before = [crop(connection, f"a{number}") for number in range(5)]
    found = eligible(connection)
    assert (found.first, found.last, list(found.crops.others)) == (1, 5, before)
    new = crop(connection, "came meanwhile")
    first = draw(connection, 3, author=None, found=found)
    assert first is not None
    assert first.eligible == 5
    second = draw(connection, 100, author=None, found=found)
    assert second is not None
    assert [one.id for one in second.crops] == [new]


def test_a_seed_gives_the_same_draw(connection: Connection) -> None:
    for number in range(50):
        crop(connection, f"{number}")
    draws: list[list[int]] = []
    for _ in range(2):
        point = connection.begin_nested()
        done = draw(connection, 5, author=None, seed=7)
        assert done is not None
        draws.append([one.id for one in done.crops])
        point.rollback()
    assert draws[0] == draws[1]


def test_eligible_crops_are_looked_up_before_the_transaction_that_writes(database: Database) -> None:
    assert draw_audit(database, 3, author="anna") is None
    with database.write() as connection:
        ids = [crop(connection, f"a{number}") for number in range(4)]
    done = draw_audit(database, 3, author="anna", seed=1)
    assert done is not None
    assert (done.eligible, len(done.crops), {one.id for one in done.crops} <= set(ids)) == (4, 3, True)
    assert draw_audit(database, 3, author="anna") is None
