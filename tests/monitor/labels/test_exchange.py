"""Labels exported and imported, in a real database."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete

from monitor.labels.exchange import Imported, as_dict, export_labels, import_labels
from monitor.labels.table import Problem, Row, Table
from monitor.store.database.schema import labels
from monitor.store.labels import all_labels, given_labels
from monitor.words import Label
from tests.monitor.labels.conftest import START, crop, say

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def row(line: int, *, sha256: str = "", path: str = "", label: str = "proliv", minute: int = 0) -> Row:
    at = START + timedelta(minutes=minute)
    return Row(line, sha256, path, label, "import", "anna", at, None, False)


def imported(connection: Connection) -> list[tuple[int, str]]:
    return [(one.crop_id, one.label) for one in all_labels(connection)]


def test_labels_are_exported_with_the_oldest_first(connection: Connection) -> None:
    first, second = crop(connection, "a"), crop(connection, "b")
    say(connection, first, Label.PROLIV, "=anna", minute=1)
    say(connection, second, Label.NE_PROLIV, minute=0)
    file = io.StringIO()
    assert export_labels(given_labels(connection), file) == 2
    assert file.getvalue().splitlines() == [
        "path,sha256,hole,camera,captured_at,label,source,author,at,note,settles,audit,taken_back",
        "/inbox/b,b,1,C,,ne_proliv,folder,,2024-05-01T12:00:00+00:00,,0,,0",
        "/inbox/a,a,1,C,,proliv,command,'=anna,2024-05-01T12:01:00+00:00,,0,,0",
    ]
    (one, _) = given_labels(connection)
    values = as_dict(one)
    assert (values["at"], values["captured_at"], values["crop_id"]) == ("2024-05-01T12:00:00+00:00", None, second)


def test_a_row_goes_to_the_crop_of_its_content_and_only_without_one_to_that_of_its_path(connection: Connection) -> None:
    came_with_its_label = crop(connection, "a", "same", source="labelled")
    in_operation, other = crop(connection, "b", "same"), crop(connection, "c", "other")
    rows = [
        row(2, sha256="same", path="/somewhere/else"),
        row(3, sha256="other", path="/inbox/b", minute=1),
        row(4, path="/inbox/c", minute=2),
        row(5, sha256="same", path="/inbox/a", minute=3),
    ]
    assert import_labels(connection, Table(rows, []), author="vera") == Imported(4, 0, [])
    assert [crop_id for crop_id, _ in imported(connection)] == [in_operation, other, other, came_with_its_label]


def test_a_label_that_is_there_is_not_added_again(connection: Connection) -> None:
    crop(connection, "a")
    again = [row(2, sha256="a"), row(3, path="/inbox/a"), row(4, sha256="a", minute=1)]
    assert import_labels(connection, Table(again, []), author="vera") == Imported(2, 1, [])
    assert import_labels(connection, Table(again, []), author="vera") == Imported(0, 3, [])
    connection.execute(delete(labels))
    assert import_labels(connection, Table(again[:1], []), author="vera") == Imported(1, 0, [])


def test_a_wrong_row_keeps_all_out_unless_wrong_ones_are_skipped(connection: Connection) -> None:
    crop(connection, "a", "one")
    crop(connection, "a", "two")
    crop(connection, "b", failed=True)
    rows = [row(2, sha256="one"), row(3, sha256="0"), row(4, path="/inbox/a"), row(5, path="/inbox/b")]
    table = Table(rows, [Problem(6, "is wrong"), Problem(1, "is wrong, too")])
    problems = [
        Problem(1, "is wrong, too"),
        Problem(3, "no scored crop has the sha256 0; score its file first: monitor score DIR"),
        Problem(4, "/inbox/a: 2 crops have had this path one after another; give the sha256"),
        Problem(5, "/inbox/b: no scored crop has this path; score it first: monitor score DIR"),
        Problem(6, "is wrong"),
    ]
    assert import_labels(connection, table, author="vera") == Imported(0, 0, problems)
    assert imported(connection) == []
    assert import_labels(connection, table, author="vera", skip_wrong=True) == Imported(1, 0, problems)
    assert imported(connection) == [(1, "proliv")]
