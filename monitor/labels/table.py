"""Labels as a table in CSV: how a label becomes a row, and how rows become labels after each was checked."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import DataError
from monitor.files.text import printable
from monitor.labels.remarks import remark
from monitor.labels.spreadsheets import GUARDED_STARTS, decode, guarded, split
from monitor.times import iso, parse_time
from monitor.words import LONGEST_AUTHOR, LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from monitor.labels.spreadsheets import Lines
    from monitor.store.labels import GivenLabelRow

COLUMNS: Final = (
    *("path", "sha256", "hole", "camera", "captured_at", "label", "source", "author", "at", "note", "settles", "audit"),
    "taken_back",
)
SOURCES: Final = ("folder", "command", "import")
# As people write them, and as a spreadsheet turns them into its own language.
TRUTHS: Final = {
    **dict.fromkeys(("", "0", "false", "no", "ложь"), False),
    **dict.fromkeys(("1", "true", "yes", "истина"), True),
}
# Day, month and year as Russian spreadsheets write them, with or without the time of day.
RUSSIAN_DATE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
# A clock may be wrong by a little, but a label from the future would stay the newest one for ever.
FUTURE: Final = timedelta(days=1)


class Row(NamedTuple):
    """A row that was checked; ``sha256`` or ``path`` may be empty, not both; ``at`` is in UTC.

    ``taken_back``: the label did not count any more when it was exported.
    """

    line: int
    sha256: str
    path: str
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool
    taken_back: bool = False


class Problem(NamedTuple):
    """What is wrong with the row that ends in this line of the table."""

    line: int
    sentence: str


class Table(NamedTuple):
    """A table that was read: its good rows, what is wrong with the others, and the encoding that it was read as."""

    rows: list[Row]
    problems: list[Problem]
    encoding: str = "UTF-8"


def cells(label: GivenLabelRow, zone: tzinfo = UTC) -> list[object]:
    """A label as a row of CSV, in the order of `COLUMNS`; times are on the clock of ``zone``."""
    values = {**label._asdict(), "settles": int(label.settles), "taken_back": int(label.taken_back)}
    for name in ("at", "captured_at"):
        values[name] = iso(values[name] and values[name].astimezone(zone))
    for name in ("path", "camera", "author", "note"):
        values[name] = guarded(values[name])
    return [values[name] for name in COLUMNS]


def _unguarded(text: str) -> str:
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in GUARDED_STARTS else text


def parse(data: bytes, name: str, zone: ZoneInfo) -> Table:
    """Read a CSV table with a header; ``name`` is how messages name it, times without a zone are of ``zone``.

    Encodings and separators are those of `monitor.labels.spreadsheets`. Raises `DataError` when it is no such table.
    """
    content, encoding = decode(data, name)
    lines = split(content, frozenset(COLUMNS))
    _check_header(lines, name)
    table = Table([], [], encoding)
    now = datetime.now(UTC)
    try:
        for line, row in lines.rows:
            try:
                table.rows.append(_row(line, _by_name(lines.header, row), zone, now))
            except ValueError as error:
                table.problems.append(Problem(line, str(error)))
    except csv.Error as error:
        raise DataError(f"{name}:{error}; nothing is imported, correct the table") from None
    return table


def _check_header(lines: Lines, name: str) -> None:
    header = lines.header
    if "label" not in header or not {"sha256", "path"} & set(header):
        raise DataError(
            f"{name}:{lines.first}: the first line must name the columns, separated by commas, semicolons or tabs: "
            f"label, and sha256 or path; it names {', '.join(map(printable, header)) or 'none'}"
        )
    twice = sorted(column for column in COLUMNS if header.count(column) > 1)
    if twice:
        raise DataError(
            f"{name}:{lines.first}: the first line names the column {twice[0]} twice, so it is not clear which one is "
            "meant; remove one of them"
        )


def _by_name(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """The cells of a row by the names of their columns; raises `ValueError` with a sentence."""
    if any(cell.strip() for cell in row[len(header) :]):
        raise ValueError("has more cells than the first line names; put text with commas into quotation marks")
    if any("\0" in cell for cell in row):
        raise ValueError("holds a NUL byte, which no text does; the file is damaged, save the table again")
    return {name: cell.strip() for name, cell in zip(header, row, strict=False) if name}


def _row(line: int, given: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Row:
    """Check one row; raises `ValueError` with a sentence."""
    values = {name: given.get(name, "") for name in COLUMNS}
    sha256, path = values["sha256"].lower(), _unguarded(values["path"])
    if not sha256 and not path:
        raise ValueError("has neither a sha256 nor a path; give one")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"the sha256 {_shown(sha256)} is not 64 hexadecimal digits")
    label = values["label"].lower()
    if label not in set(Label):
        raise ValueError(f"the label {_shown(values['label'])} is neither proliv nor ne_proliv")
    source = values["source"] or "import"
    if source not in SOURCES:
        raise ValueError(f"the source {_shown(source)} is none of {', '.join(SOURCES)}; leave it empty")
    settles, taken_back = (_truth(values[name], name) for name in ("settles", "taken_back"))
    author = _remark(values["author"], LONGEST_AUTHOR, "author")
    note = _remark(values["note"], LONGEST_NOTE, "note")
    at = _at(values["at"], zone, now)
    return Row(line, sha256, path, label, source, author, at, note, settles, taken_back)


def _truth(text: str, column: str) -> bool:
    if text.lower() not in TRUTHS:
        raise ValueError(f"{column} is {_shown(text)}; write 1 or 0, or leave it empty")
    return TRUTHS[text.lower()]


def _remark(text: str, longest: int, column: str) -> str | None:
    try:
        return remark(_unguarded(text), longest, escaped=True)
    except ValueError as error:
        raise ValueError(f"the {column} {error}; shorten it") from None


def _at(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if not text:
        return now
    try:
        moment = parse_time(_iso_date(text), zone)
    except ValueError:
        raise ValueError(f"at is {_shown(text)}, which is not a time; write it as 2024-05-01T14:30") from None
    if moment > now + FUTURE:
        raise ValueError(f"at is {text!r}, which lies in the future; such a label would always be the newest")
    return moment


def _iso_date(text: str) -> str:
    """A Russian date (01.03.2023 05:39) in ISO 8601; other text stays as it is."""
    found = RUSSIAN_DATE.fullmatch(text)
    if found is None:
        return text
    day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _shown(text: str) -> str:
    """A cell as messages quote it, shortened where it is long."""
    return repr(printable(text)[:80])
