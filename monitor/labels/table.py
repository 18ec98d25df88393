"""Labels as a table in CSV: how a label becomes a row, and how rows become labels after each was checked."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.errors import DataError
from monitor.files.text import printable
from monitor.labels.remarks import remark
from monitor.times import iso, parse_time
from monitor.words import LONGEST_AUTHOR, LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from monitor.store.labels import GivenLabelRow

COLUMNS: Final = (
    *("path", "sha256", "hole", "camera", "captured_at", "label", "source", "author", "at", "note", "settles", "audit"),
)
SOURCES: Final = ("folder", "command", "import")
TRUTHS: Final = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
# A spreadsheet takes a cell that begins so for a formula.
FORMULA_STARTS: Final = "=+-@\t\r"
# A clock may be wrong by a little, but a label from the future would stay the newest one for ever.
FUTURE: Final = timedelta(days=1)


class Row(NamedTuple):
    """A row that was checked; ``sha256`` or ``path`` may be empty, not both; ``at`` is in UTC."""

    line: int
    sha256: str
    path: str
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool


class Problem(NamedTuple):
    """What is wrong with the row that ends in this line of the table."""

    line: int
    sentence: str


class Table(NamedTuple):
    """A table that was read: its good rows, and what is wrong with the others."""

    rows: list[Row]
    problems: list[Problem]


def cells(label: GivenLabelRow) -> list[object]:
    """A label as a row of CSV, in the order of `COLUMNS`."""
    values = {**label._asdict(), "settles": int(label.settles)}
    for name in ("at", "captured_at"):
        values[name] = iso(values[name])
    for name in ("path", "camera", "author", "note"):
        values[name] = _guarded(values[name])
    return [values[name] for name in COLUMNS]


def _guarded(text: str | None) -> str | None:
    """Keep a spreadsheet from reading text as a formula; `_unguarded` restores it."""
    return f"'{text}" if text and text[0] in FORMULA_STARTS + "'" else text


def _unguarded(text: str) -> str:
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in FORMULA_STARTS + "'" else text


def parse(data: bytes, name: str, zone: ZoneInfo) -> Table:
    """Read a CSV table in UTF-8 with a header; ``name`` is how messages name it, times without a zone are of ``zone``.

    Raises `DataError` when it is not such a table at all.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}:{line}: is not UTF-8; save the table as CSV in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restval="")
    table = Table([], [])
    now = datetime.now(UTC)
    try:
        _check_header(reader.fieldnames or (), name)
        for row in reader:
            try:
                table.rows.append(_row(reader.line_num, row, zone, now))
            except ValueError as error:
                table.problems.append(Problem(reader.line_num, str(error)))
    except csv.Error as error:
        raise DataError(
            f"{name}:{reader.reader.line_num}: is not CSV: {error}; nothing is imported, correct the table"
        ) from None
    return table


def _check_header(header: Sequence[str], name: str) -> None:
    if "label" not in header or not {"sha256", "path"} & set(header):
        raise DataError(
            f"{name}:1: the first line must name the columns, separated by commas: label, and sha256 or path; it names "
            f"{', '.join(map(printable, header)) or 'none'}"
        )


def _row(line: int, given: Mapping[str | None, Any], zone: ZoneInfo, now: datetime) -> Row:
    """Check one row; raises `ValueError` with a sentence."""
    if None in given:
        raise ValueError("has more cells than the first line names; put text with commas into quotation marks")
    values = {name: (given.get(name) or "").strip() for name in COLUMNS}
    sha256, path = values["sha256"].lower(), _unguarded(values["path"])
    if not sha256 and not path:
        raise ValueError("has neither a sha256 nor a path; give one")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"the sha256 {_shown(sha256)} is not 64 hexadecimal digits")
    if values["label"] not in set(Label):
        raise ValueError(f"the label {_shown(values['label'])} is neither proliv nor ne_proliv")
    source = values["source"] or "import"
    if source not in SOURCES:
        raise ValueError(f"the source {_shown(source)} is none of {', '.join(SOURCES)}; leave it empty")
    if values["settles"].lower() not in TRUTHS:
        raise ValueError(f"settles is {_shown(values['settles'])}; write 1 or 0, or leave it empty")
    author = _remark(values["author"], LONGEST_AUTHOR, "author")
    note = _remark(values["note"], LONGEST_NOTE, "note")
    at = _at(values["at"], zone, now)
    return Row(line, sha256, path, values["label"], source, author, at, note, TRUTHS[values["settles"].lower()])


def _remark(text: str, longest: int, column: str) -> str | None:
    try:
        return remark(_unguarded(text), longest, escaped=True)
    except ValueError as error:
        raise ValueError(f"the {column} {error}; shorten it") from None


def _at(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if not text:
        return now
    try:
        moment = parse_time(text, zone)
    except ValueError:
        raise ValueError(f"at is {_shown(text)}, which is not a time; write it as 2024-05-01T14:30") from None
    if moment > now + FUTURE:
        raise ValueError(f"at is {text!r}, which lies in the future; such a label would always be the newest")
    return moment


def _shown(text: str) -> str:
    """A cell as messages quote it, shortened where it is long."""
    return repr(printable(text)[:80])
