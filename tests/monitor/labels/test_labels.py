"""Which label counts, what contradicts, and what a labelled crop stands for, in a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.labels import labels
from monitor.store import labels as stored_labels
from monitor.store.labelled_files import take_labelled
from monitor.words import Label
from tests.monitor.labels.conftest import crop, crop_row, say

if TYPE_CHECKING:
    import pytest
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database
    from monitor.store.labels import LabelledCropRow

PROLIV, NORMAL = Label.PROLIV, Label.NE_PROLIV


def outcome(connection: Connection) -> tuple[dict[str, Label], list[str]]:
    """(content -> the label that counts, the contradictory contents)."""
    found = labels.read(connection)
    return {one.sha256: one.label for one in found.crops}, [one.sha256 for one in found.contradictions]


def test_the_newest_label_of_one_author_counts_and_contradicts_nothing(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "anna", minute=1)
    assert outcome(connection) == ({"a": NORMAL}, [])


def test_two_authors_contradict_each_other_until_they_agree(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "boris", minute=1)
    assert outcome(connection) == ({"a": NORMAL}, ["a"])
    (contradiction,) = labels.read(connection).contradictions
    assert contradiction.sentence == (
        "/inbox/a: anna says proliv, boris says ne_proliv; settle it: monitor label /inbox/a --as … --settle"
    )
    assert labels.read(connection).agreed() == []
    say(connection, one, PROLIV, "boris", minute=2)
    assert outcome(connection) == ({"a": PROLIV}, [])


def test_settling_voids_what_was_said_before_and_not_what_is_said_after(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "boris", minute=1)
    say(connection, one, PROLIV, "vera", minute=2, settles=True)
    assert outcome(connection) == ({"a": PROLIV}, [])
    say(connection, one, NORMAL, "boris", minute=3)
    assert outcome(connection) == ({"a": NORMAL}, ["a"])


def test_the_folder_is_one_labeller_beside_the_authors(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, minute=0)
    say(connection, one, NORMAL, minute=1)  # the file was moved
    assert outcome(connection) == ({"a": NORMAL}, [])
    say(connection, one, PROLIV, "anna", minute=2)
    assert outcome(connection) == ({"a": PROLIV}, ["a"])
    assert "the labelled folder says ne_proliv" in labels.read(connection).contradictions[0].sentence


def test_the_command_that_settles_a_contradiction_can_be_pasted(connection: Connection) -> None:
    one = crop(connection, "hole 1 (b)")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "boris", minute=1)
    (contradiction,) = labels.read(connection).contradictions
    assert contradiction.sentence.endswith("monitor label '/inbox/hole 1 (b)' --as … --settle")


def test_labels_of_one_instant_contradict_each_other(connection: Connection) -> None:
    one, other = crop(connection, "a"), crop(connection, "b")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "anna", minute=0)
    say(connection, other, PROLIV, "anna", minute=0)
    say(connection, other, PROLIV, "anna", minute=0)
    assert outcome(connection) == ({"a": NORMAL, "b": PROLIV}, ["a"])


def test_a_file_in_both_folders_is_contradictory_until_it_is_settled(connection: Connection) -> None:
    one = crop(connection, "a")
    for name, label, minute in (("x", PROLIV, 0), ("y", NORMAL, 1)):
        row = crop_row(name, "a")
        say(connection, one, label, minute=minute)
        take_labelled(connection, [(label.value, row)])
    assert outcome(connection)[1] == ["a"]
    assert "remove one of the two" in labels.read(connection).contradictions[0].sentence
    say(connection, one, NORMAL, "anna", minute=3, settles=True)
    assert outcome(connection) == ({"a": NORMAL}, [])


def test_a_label_holds_for_every_crop_of_the_content_and_one_stands_for_it(connection: Connection) -> None:
    came_with_its_label = crop(connection, "a", "same", source="labelled")
    in_operation = crop(connection, "b", "same", verdict="proliv")
    again = crop(connection, "c", "same")
    say(connection, came_with_its_label, PROLIV, minute=0)
    say(connection, again, PROLIV, "anna", minute=1)
    (found,) = labels.read(connection).crops
    assert (found.id, found.alarmed, found.in_operation, found.author) == (in_operation, True, True, "anna")


def test_only_what_came_into_the_inbox_is_in_operation(connection: Connection) -> None:
    for name, source in (("a", "inbox"), ("b", "folder"), ("c", "labelled")):
        say(connection, crop(connection, name, source=source), NORMAL, minute=0)
    assert [one.in_operation for one in labels.read(connection).crops] == [True, False, False]


def test_a_label_that_is_given_while_all_are_read_is_read_the_next_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as connection:
        crop(connection, "a")

    def meanwhile(connection: Connection) -> list[LabelledCropRow]:
        with database.write() as other:
            say(other, 1, PROLIV, "anna", minute=0)
        return stored_labels.labelled_crops(connection)

    monkeypatch.setattr(labels, "labelled_crops", meanwhile)
    with database.read() as connection:
        assert outcome(connection) == ({}, [])
    monkeypatch.undo()
    with database.read() as connection:
        assert outcome(connection) == ({"a": PROLIV}, [])
