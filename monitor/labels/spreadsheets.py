"""Text of tables as spreadsheets save it: several encodings, separators, line ends, and marks of their own.

Excel saves "CSV" with the separator of its language, a semicolon in Russia, and in Windows' encoding, Windows-1251
there; "CSV UTF-8" with a byte order mark, and "Unicode text" as UTF-16 with tabs.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Byte order marks with the encoding that they stand for; UTF-32's begins as UTF-16's does, so it comes first.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
SEPARATORS: Final = (",", ";", "\t")
# Excel's own first line that names the separator.
NAMES_SEPARATOR: Final = re.compile(r'"?sep=([^"\r\n])"?\r?\n?\r?')
# A spreadsheet takes a cell that begins so for a formula.
FORMULA_STARTS: Final = "=+-@\t\r"
# The apostrophe too, so that the one in front of a text that has one already is not taken for the guard.
GUARDED_STARTS: Final = FORMULA_STARTS + "'"
# Letters of any alphabet, and Russian words alone.
WORD: Final = re.compile(r"[^\W\d_]+")
RUSSIAN: Final = re.compile(r"[а-яё]+", re.IGNORECASE)


class Text(NamedTuple):
    """A table's text and how messages call the encoding that it was read as."""

    content: str
    encoding: str


class Lines(NamedTuple):
    """The rows of a table below its first line: (the number of the line that a row ends in, its cells)."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    first: int  # the number of the line with the header


def guarded(text: str | None) -> str | None:
    """Keep a spreadsheet from reading text as a formula, by an apostrophe in front; the import of labels removes it."""
    return f"'{text}" if text and text[0] in GUARDED_STARTS else text


def decode(data: bytes, name: str) -> Text:
    """Decode a table; ``name`` is how messages name it. Raises `DataError` when no encoding fits plainly."""
    for mark, codec, encoding in MARKS:
        if data.startswith(mark):
            try:
                return Text(data.decode(codec), encoding)
            except UnicodeDecodeError as error:
                line = data[: error.start].decode(codec, errors="ignore").count("\n") + 1
                raise DataError(
                    f"{name}:{line}: is not {encoding}, though the file's first bytes say so; save the table as CSV in "
                    "UTF-8"
                ) from None
    try:
        return Text(data.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        text = data.decode("cp1251", errors="replace")
        if _is_russian(text):
            return Text(text, "Windows-1251")
        raise DataError(
            f"{name}:{line}: is not UTF-8, nor plainly Russian in Windows-1251; save the table as CSV in UTF-8"
        ) from None


def _is_russian(text: str) -> bool:
    """Whether all words that are not ASCII are Russian ones, one of them longer than a letter.

    Every byte means something in Windows-1251; in a text of another encoding the letters come singly, in the middle of
    words of Latin letters.
    """
    words = [word for word in WORD.findall(text) if not word.isascii()]
    return "\ufffd" not in text and all(map(RUSSIAN.fullmatch, words)) and any(len(word) > 1 for word in words)


def split(text: str, known: frozenset[str]) -> Lines:
    """Cut a table into rows of cells; rows without any text are left out.

    The separator is the one that the first line gives (``sep=;``), or else the one by which it names most of the
    ``known`` columns. Names of columns are compared without blanks around them and in small letters; columns without a
    name at the end are left out. Raises `csv.Error` while rows are read.
    """
    named = NAMES_SEPARATOR.match(text)
    body = text[named.end() :] if named else text
    offset = text[: named.end()].count("\n") or 1 if named else 0
    wished = (named[1],) if named else ()
    headers = [(separator, _header(body, separator)) for separator in (*wished, *SEPARATORS)]
    separator, header = max(headers, key=lambda one: len(known & set(one[1])))
    return Lines(header, _rows(body, separator, offset), offset + 1)


def is_export(beginning: bytes) -> bool:
    """Whether a file that begins so holds nothing, or labels that this program exported."""
    start = beginning.removeprefix(codecs.BOM_UTF8)
    return not beginning or start.startswith((b"path,sha256,", b"path;sha256;"))


def _header(body: str, separator: str) -> list[str]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    try:
        cells = [cell.strip().lower() for cell in next(reader, [])]
    except csv.Error:
        return []
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _rows(body: str, separator: str, offset: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    try:
        next(reader, None)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + offset, cells
    except csv.Error as error:
        raise csv.Error(f"{reader.line_num + offset}: is not CSV: {error}") from None
