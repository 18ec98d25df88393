"""Labels given by command, in a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.labels.give import give
from monitor.store.labels import all_labels, find_crops
from monitor.words import Label
from tests.monitor.labels.conftest import crop

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def test_giving_a_label_again_adds_nothing(connection: Connection) -> None:
    one, same = crop(connection, "a", "same"), crop(connection, "b", "same")
    both = find_crops(connection, ids=[one, same])

    def say(label: Label, author: str, **options: object) -> tuple[int, int]:
        given = give(connection, both, label, author=author, **options)  # type: ignore[arg-type]
        return given.new, given.known

    assert say(Label.PROLIV, "anna") == (1, 0)
    assert say(Label.PROLIV, "anna") == (0, 1)
    assert say(Label.PROLIV, "anna", note="a reason") == (1, 0)
    assert say(Label.PROLIV, "anna", note="a reason") == (0, 1)
    assert say(Label.NE_PROLIV, "boris") == (1, 0)
    assert say(Label.NE_PROLIV, "boris", settles=True) == (1, 0)
    assert say(Label.NE_PROLIV, "boris", settles=True) == (0, 1)
    # What was settled is void, and may be said again.
    assert say(Label.PROLIV, "anna") == (1, 0)
    assert {row.crop_id for row in all_labels(connection)} == {one}
