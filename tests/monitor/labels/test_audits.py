"""Draws of crops at random, in a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.labels.audits import draw, draw_audit, eligible
from monitor.labels.labels import read
from monitor.store.audits import drawn_crops
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
    assert connection.execute(audits.select()).all()[0][3:] == (1, 13, 5)
    crop(connection, "old content", "content3")  # it was eligible before
    crop(connection, "scored by hand before", "new content", source="folder")
    new = crop(connection, "new", "new content")
    second = draw(connection, 100, author=None)
    assert second is not None
    assert (second.eligible, [one.id for one in second.crops]) == (1, [new])


def test_what_was_eligible_before_another_draw_is_not_drawn_from_again(connection: Connection) -> None:
    before = [crop(connection, f"a{number}") for number in range(5)]
    found = eligible(connection)
    assert (found.first, found.last, list(found.ids)) == (1, 5, before)
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
