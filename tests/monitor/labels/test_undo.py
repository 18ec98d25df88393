"""Labels taken back: nothing is deleted, and everything is as if they had never been given."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from monitor.errors import DataError
from monitor.labels import labels
from monitor.labels.exchange import Imported, export_labels, import_labels
from monitor.labels.give import give
from monitor.labels.table import parse
from monitor.labels.undo import undo
from monitor.store.audits import crops_to_audit
from monitor.store.labels import all_labels, find_crops, given_labels, newest_action
from monitor.words import Label
from tests.monitor.labels.conftest import crop, say
from tests.monitor.labels.test_table import MOSCOW

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

PROLIV, NORMAL = Label.PROLIV, Label.NE_PROLIV


def label(connection: Connection, ids: list[int], given: Label, author: str, *, settles: bool = False) -> None:
    give(connection, find_crops(connection, ids=ids), given, author=author, settles=settles)


def take_back(connection: Connection, author: str) -> list[int]:
    """Undo the newest action; the crops whose labels were taken back."""
    action = newest_action(connection, author)
    undo(connection, action, author=author, note="a mistake")
    return [row.crop_id for row in action]


def counts(connection: Connection) -> dict[str, Label]:
    return {one.sha256: one.label for one in labels.read(connection).crops}


def test_an_action_is_taken_back_and_what_counted_before_counts_again(connection: Connection) -> None:
    one, two = crop(connection, "a"), crop(connection, "b")
    label(connection, [one], PROLIV, "anna")
    label(connection, [one, two], NORMAL, "anna")
    assert counts(connection) == {"a": NORMAL, "b": NORMAL}
    assert take_back(connection, "anna") == [one, two]
    assert counts(connection) == {"a": PROLIV}
    assert take_back(connection, "anna") == [one]
    assert counts(connection) == {}
    assert newest_action(connection, "anna") == []
    assert [(row.undoes, row.taken_back) for row in given_labels(connection)] == [
        *((None, True), (None, True), (None, True)),
        *((2, False), (3, False), (1, False)),
    ]


def test_only_the_authors_own_labels_are_taken_back(connection: Connection) -> None:
    one = crop(connection, "a")
    label(connection, [one], PROLIV, "anna")
    label(connection, [one], NORMAL, "boris")
    say(connection, one, NORMAL, minute=9)
    assert len(labels.read(connection).contradictions) == 1
    take_back(connection, "anna")
    assert labels.read(connection).contradictions == []
    assert [row.author for row in all_labels(connection)] == [None, "boris"]


def test_a_settlement_that_is_taken_back_settles_nothing(connection: Connection) -> None:
    one = crop(connection, "a")
    label(connection, [one], PROLIV, "anna")
    label(connection, [one], NORMAL, "boris")
    label(connection, [one], NORMAL, "vera", settles=True)
    assert labels.read(connection).contradictions == []
    take_back(connection, "vera")
    assert len(labels.read(connection).contradictions) == 1


def test_a_crop_whose_label_was_taken_back_may_be_labelled_and_drawn_again(connection: Connection) -> None:
    one = crop(connection, "a")
    label(connection, [one], PROLIV, "anna")
    assert list(crops_to_audit(connection, one, one).others) == []
    take_back(connection, "anna")
    assert list(crops_to_audit(connection, one, one).others) == [one]
    label(connection, [one], PROLIV, "anna")
    assert counts(connection) == {"a": PROLIV}


def test_what_was_given_last_is_taken_back_even_if_the_clock_was_put_back(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = crop(connection, "a"), crop(connection, "b")
    label(connection, [one], PROLIV, "anna")
    earlier = Mock(now=lambda zone: datetime.now(zone) - timedelta(hours=1))
    for module in ("monitor.labels.give", "monitor.store.labels"):
        monkeypatch.setattr(f"{module}.datetime", earlier)
    label(connection, [two], PROLIV, "anna")
    assert take_back(connection, "anna") == [two]
    assert take_back(connection, "anna") == [one]


def test_an_action_that_has_changed_meanwhile_is_not_taken_back(connection: Connection) -> None:
    one, two = crop(connection, "a"), crop(connection, "b")
    label(connection, [one], PROLIV, "anna")
    seen = newest_action(connection, "anna")
    label(connection, [two], PROLIV, "anna")
    with pytest.raises(DataError, match="have changed in the meantime"):
        undo(connection, seen, author="anna", note=None)
    assert len(all_labels(connection)) == 2


def test_neither_an_earlier_export_nor_a_later_one_revives_what_was_taken_back(connection: Connection) -> None:
    one = crop(connection, "a", "0" * 64)
    label(connection, [one], PROLIV, "anna")

    def exported() -> bytes:
        file = io.StringIO()
        export_labels(given_labels(connection), file)
        return file.getvalue().encode()

    earlier = exported()
    take_back(connection, "anna")
    later = exported()
    assert len(later.splitlines()) == 2
    assert import_labels(connection, parse(earlier, "labels.csv", MOSCOW), author="vera") == Imported(0, 1, [])
    assert import_labels(connection, parse(later, "labels.csv", MOSCOW), author="vera") == Imported(0, 0, [], 1)
    assert counts(connection) == {}


def test_an_import_without_authors_is_that_of_the_importer_alone(connection: Connection) -> None:
    one, two, three = (crop(connection, name, name * 64) for name in "abc")
    label(connection, [one], PROLIV, "anna")
    say(connection, three, NORMAL, minute=0)
    rows = f"{'b' * 64},proliv,2024-05-01,,import\n{'c' * 64},ne_proliv,2024-05-01,,folder\n"
    table = parse(f"sha256,label,at,author,source\n{rows}".encode(), "labels.csv", MOSCOW)
    assert import_labels(connection, table, author="anna") == Imported(2, 0, [])
    assert [row.author for row in all_labels(connection)] == ["anna", None, None, "anna"]
    assert import_labels(connection, table, author="boris") == Imported(0, 2, [])
    assert take_back(connection, "anna") == [two]
    assert counts(connection) == {"a" * 64: PROLIV, "c" * 64: NORMAL}
