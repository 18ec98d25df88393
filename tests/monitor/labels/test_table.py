"""Labels as rows of CSV: written, read back, and checked row by row."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.errors import DataError
from monitor.labels.exchange import export_labels
from monitor.labels.spreadsheets import is_export
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
        (b"path:label\n", "it names path:label"),
        (b"path,label,Path\n", "labels.csv:1: the first line names the column path twice"),
        (b"sep=;\nlabel;author\n", "labels.csv:2: .* it names label, author"),
        (b"label,author\n", "it names label, author"),
        (
            b"path,label\n\xff,proliv\n",
            "labels.csv:2: is not UTF-8, nor plainly Russian in Windows-1251; save the table as CSV in UTF-8",
        ),
        (b'path,label\n"a"b,proliv\n', "labels.csv:2: is not CSV: .*; nothing is imported"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse(content, "labels.csv", MOSCOW)


ROW = "path,label,note\na.jpg,proliv,тень\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (ROW.encode(), "UTF-8"),
        (ROW.encode("utf-8-sig"), "UTF-8"),
        (ROW.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + ROW.encode("utf-16-be"), "UTF-16"),
        (ROW.encode("utf-32"), "UTF-32"),
        (ROW.encode("cp1251"), "Windows-1251"),
        (ROW.replace(",", ";").replace("\n", "\r\n").encode("cp1251"), "Windows-1251"),
        (ROW.replace(",", "\t").encode("utf-16"), "UTF-16"),
        (("sep=;\r\n" + ROW.replace(",", ";")).encode("cp1251"), "Windows-1251"),
        (("sep=,\r\n" + ROW).encode("utf-8-sig"), "UTF-8"),
        (("sep=,\n" + ROW.replace(",", ";")).encode(), "UTF-8"),  # what the mark says is wrong
        (ROW.replace("\n", "\r").encode(), "UTF-8"),
        (ROW.replace("\n", "\r\n").strip().encode(), "UTF-8"),
        ("Path, LABEL ,Note,,\na.jpg, Proliv,тень,,\n,,,,\n\n".encode(), "UTF-8"),
        ('"path";"label";"note"\n"a.jpg";"proliv";"тень"\n'.encode(), "UTF-8"),
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(content: bytes, encoding: str) -> None:
    table = parse(content, "labels.csv", MOSCOW)
    assert [(row.path, row.label, row.note) for row in table.rows] == [("a.jpg", "proliv", "тень")]
    assert (table.problems, table.encoding) == ([], encoding)


@pytest.mark.parametrize("note", ["Müller", "é", "µm", "naïve façade"])
def test_what_is_not_plainly_russian_is_not_taken_for_it(note: str) -> None:
    with pytest.raises(DataError, match="nor plainly Russian"):
        parse(f"path,label,note\na.jpg,proliv,{note}\n".encode("cp1252"), "labels.csv", MOSCOW)


def test_a_damaged_mark_of_an_encoding_is_named() -> None:
    with pytest.raises(DataError, match=r"labels\.csv:2: is not UTF-16, though the file's first bytes say so"):
        parse(ROW.encode("utf-16")[:-1], "labels.csv", MOSCOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("01.05.2024 12:00", AT),
        ("1.5.2024  12:00:30", AT + timedelta(seconds=30)),
        ("01.05.2024", AT - timedelta(hours=12)),
        ("2024-05-01 12:00", AT),
    ],
)
def test_a_russian_date_is_on_the_plants_clock(text: str, moment: datetime) -> None:
    (row,) = read("path;label;at", f"a.jpg;proliv;{text}").rows
    assert row.at == moment


@pytest.mark.parametrize("text", ["31.02.2024 12:00", "01.05.24", "05/01/2024", "1.5.2024 25:00"])
def test_a_date_of_another_form_is_refused(text: str) -> None:
    assert "which is not a time" in problem(f"a.jpg,,proliv,,{text},,,")


def test_a_row_with_a_nul_byte_is_wrong_and_named() -> None:
    table = read("path,label", "a.jpg,proliv", "\0\0")
    assert [row.path for row in table.rows] == ["a.jpg"]
    assert table.problems == [
        Problem(3, "holds a NUL byte, which no text does; the file is damaged, save the table again")
    ]


def test_an_export_for_excel_comes_back_as_it_was() -> None:
    label = LABEL._replace(path="/inbox/=ö;,.jpg", note="тень", author="-anna")
    for taken_back in (False, True):
        written = io.StringIO(newline="")
        export_labels([label._replace(taken_back=taken_back)], written, excel=MOSCOW)
        assert written.getvalue().startswith("\ufeffpath;sha256;")
        assert "2024-05-01T12:00:00+03:00" in written.getvalue()
        # As Excel saves it again: "CSV UTF-8", and "Unicode text".
        for content in (written.getvalue().encode(), written.getvalue().removeprefix("\ufeff").encode("utf-16")):
            assert parse(content, "labels.csv", MOSCOW).rows == [
                Row(2, SHA256, "/inbox/=ö;,.jpg", "proliv", "command", "-anna", AT, "тень", True, taken_back)
            ]


@pytest.mark.parametrize(
    ("beginning", "answer"), [(b"", True), (b"\xef\xbb\xbfpath;sha256;hole", True), (b"SQLite format 3", False)]
)
def test_only_an_export_is_known_as_one(beginning: bytes, answer: bool) -> None:
    assert is_export(beginning) is answer


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert len(parse("\ufeffpath,label\na.jpg,proliv\n".encode(), "labels.csv", MOSCOW).rows) == 1
