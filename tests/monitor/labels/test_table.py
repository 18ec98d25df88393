"""Labels as rows of CSV: written, read back, and checked row by row."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.errors import DataError
from monitor.labels.table import COLUMNS, Problem, Row, Table, cells, parse
from monitor.store.labels import GivenLabelRow

MOSCOW = ZoneInfo("Europe/Moscow")
AT = datetime(2024, 5, 1, 9, tzinfo=UTC)
SHA256 = "0123456789abcdef" * 4
LABEL = GivenLabelRow(1, 2, "/inbox/a.jpg", SHA256, 7, "C", AT, "proliv", "command", "anna", AT, "a note", True, None)


def read(*lines: str) -> Table:
    return parse("\n".join(lines).encode(), "labels.csv", MOSCOW)


def problem(line: str, header: str = "path,sha256,label,author,at,note,settles,source") -> str:
    """What is wrong with a row."""
    table = read(header, line)
    assert table.rows == []
    ((number, sentence),) = table.problems
    assert number == 2
    return sentence


def test_a_label_becomes_a_row_and_the_row_a_label() -> None:
    written = io.StringIO()
    csv.writer(written).writerows([COLUMNS, cells(LABEL)])
    (row,) = csv.DictReader(io.StringIO(written.getvalue()))
    assert (row["captured_at"], row["settles"], row["audit"], row["hole"]) == (AT.isoformat(), "1", "", "7")
    assert parse(written.getvalue().encode(), "labels.csv", MOSCOW) == Table(
        [Row(2, SHA256, "/inbox/a.jpg", "proliv", "command", "anna", AT, "a note", True)], []
    )


@pytest.mark.parametrize("text", ["=1+1", "+7", "-1", "@anna", "'quoted", "'=", "a\\nb\\\\c", 'with "quotes", commas'])
def test_text_that_looks_like_a_formula_comes_back_as_it_was(text: str) -> None:
    label = LABEL._replace(path=text, camera=text, author=text, note=text)
    by_name = dict(zip(COLUMNS, cells(label), strict=True))
    assert not any(str(by_name[name]).startswith(("=", "+", "-", "@")) for name in ("path", "camera", "author", "note"))
    written = io.StringIO()
    csv.writer(written).writerows([COLUMNS, cells(label)])
    (row,) = parse(written.getvalue().encode(), "labels.csv", MOSCOW).rows
    assert (row.path, row.author, row.note) == (text, text, text)


def test_what_is_left_out_has_a_default() -> None:
    begun = datetime.now(UTC)
    (row,) = read("label,sha256", f"ne_proliv,{SHA256.upper()}").rows
    assert begun <= row.at <= datetime.now(UTC)
    assert row == Row(2, SHA256, "", "ne_proliv", "import", None, row.at, None, False)


def test_a_time_without_a_zone_is_on_the_plants_clock() -> None:
    rows = read("label,path,at", "proliv,a.jpg,2024-05-01T12:00", "proliv,a.jpg,2024-05-01T12:00+05:00").rows
    assert [row.at for row in rows] == [AT, AT - timedelta(hours=2)]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a.jpg,,maybe,,,,,", "the label 'maybe' is neither proliv nor ne_proliv"),
        (",,proliv,,,,,", "has neither a sha256 nor a path; give one"),
        ("a.jpg,12,proliv,,,,,", "the sha256 '12' is not 64 hexadecimal digits"),
        (f"a.jpg,,proliv,{'a' * 101},,,,", "the author has 101 characters, and at most 100 are kept; shorten it"),
        (f"a.jpg,,proliv,,,{'a' * 1001},,", "the note has 1001 characters, and at most 1000 are kept; shorten it"),
        ("a.jpg,,proliv,,soon,,,", "at is 'soon', which is not a time; write it as 2024-05-01T14:30"),
        ("a.jpg,,proliv,,9000-01-01,,,", "at is '9000-01-01', which lies in the future"),
        ("a.jpg,,proliv,,9999-12-31T23:59:59-23:59,,,", "which is not a time"),
        ("a.jpg,,proliv,,,,perhaps,", "settles is 'perhaps'; write 1 or 0, or leave it empty"),
        ("a.jpg,,proliv,,,,,folklore", "the source 'folklore' is none of folder, command, import; leave it empty"),
        ("a.jpg,,proliv,,,,,,too much", "has more cells than the first line names"),
        (f"a.jpg,,{'x' * 200},,,,,", f"the label '{'x' * 80}' is neither"),
    ],
)
def test_a_wrong_row_has_its_sentence(line: str, sentence: str) -> None:
    assert sentence in problem(line)


def test_a_row_of_several_lines_is_named_by_its_last() -> None:
    table = read("path,label,note", 'a.jpg,proliv,"two', 'lines"', "b.jpg,maybe,")
    assert [row.line for row in table.rows] == [3]
    assert table.problems == [Problem(4, "the label 'maybe' is neither proliv nor ne_proliv")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "labels.csv:1: the first line must name the columns, .* it names none"),
        (b"path;label\n", "it names path;label"),
        (b"label,author\n", "it names label, author"),
        (b"path,label\n\xff,proliv\n", "labels.csv:2: is not UTF-8; save the table as CSV in UTF-8"),
        (b'path,label\n"a"b,proliv\n', "labels.csv:2: is not CSV: .*; nothing is imported"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse(content, "labels.csv", MOSCOW)


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert len(parse("\ufeffpath,label\na.jpg,proliv\n".encode(), "labels.csv", MOSCOW).rows) == 1
