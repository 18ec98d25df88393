"""Labels and labelled files: added, found by content, read a row at a time, and never taken away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.store.decisions import record
from monitor.store.labelled_files import all_files, forget_files, take_labelled
from monitor.store.labels import (
    NewLabel,
    add_labels,
    all_labels,
    given_labels,
    labelled_crops,
    scored_crops,
)
from tests.support.stored_crops import NOW, decided, decision, make_active

if TYPE_CHECKING:
    from monitor.store.database.engine import Database
    from monitor.store.decisions import CropRow


def labelled_row(name: str, *, source: str = "inbox") -> CropRow:
    """A crop of its own content with a decision of the first model."""
    return decided(name, "a", decision(1, 1))._replace(sha256=name, captured_at=None, source=source)


def test_the_source_of_a_crop_stays_what_it_was_first(database: Database) -> None:
    with database.write() as connection:
        make_active(connection, "1")
        for source in ("labelled", "inbox"):
            record(connection, [labelled_row("a", source=source)])
        add_labels(connection, [NewLabel(1, "ne_proliv", "folder", None, NOW, None, False)])
        assert [one.source for one in labelled_crops(connection)] == ["labelled"]


def test_labels_and_crops_are_read_a_row_at_a_time(database: Database) -> None:
    ids = list(range(1, 21))
    with database.write() as connection:
        make_active(connection, "1")
        record(connection, [labelled_row(f"{number:03}") for number in ids])
        add_labels(
            connection,
            [
                NewLabel(one, "ne_proliv", "command", "anna", NOW + timedelta(minutes=one), None, settles=False)
                for one in ids
            ],
        )
        assert [row.crop_id for row in given_labels(connection)] == ids
        assert [row.id for row in scored_crops(connection, hole=10, camera="C", since=NOW)] == ids
        assert list(scored_crops(connection, until=NOW)) == []
        assert list(scored_crops(connection, hole=2)) == []


def test_gone_files_are_forgotten_and_their_labels_stay(database: Database) -> None:
    with database.write() as connection:
        make_active(connection, "1")
        rows = [labelled_row(f"{number}", source="labelled") for number in range(3)]
        for _ in range(2):
            take_labelled(connection, [("proliv", row) for row in rows])
        forget_files(connection, ["/inbox/0", "/inbox/1"])
        assert [row.path for row in all_files(connection)] == ["/inbox/2"]
        assert len(all_labels(connection)) == 3
