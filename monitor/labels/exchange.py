"""Labels as CSV: written, read, and checked row by row."""

from __future__ import annotations

import csv
import io
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.files.text import printable
from monitor.times import parse_time
from monitor.words import LONGEST_AUTHOR, LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.store.labels import FoundCrop, GivenLabelRow, NewLabel


COLUMNS: Final = (
    *("path", "sha256", "hole", "camera", "captured_at", "label", "source", "author", "at", "note", "settles", "audit"),
)
SOURCES: Final = ("folder", "command", "import")
TRUTHS: Final = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
FORMULA_STARTS: Final = "=+-@\t\r"
# A clock may be wrong by a little; a label from the future would be the newest for ever.
FUTURE: Final = timedelta(days=1)

_Problem = tuple[int, str]


def cells(row: GivenLabelRow) -> list[object]:
    """A label as a row of CSV, in the order of `COLUMNS`."""
    values = {**row._asdict(), "at": row.at.isoformat(), "settles": int(row.settles)}
    values["captured_at"] = None if row.captured_at is None else row.captured_at.isoformat()
    for name in ("path", "camera", "author", "note"):
        values[name] = _guarded(values[name])
    return [values[name] for name in COLUMNS]


def _guarded(text: str | None) -> str | None:
    """Keep a spreadsheet from reading text as a formula; `_unguarded` restores it."""
    return f"'{text}" if text and text[0] in FORMULA_STARTS + "'" else text


def _unguarded(text: str) -> str:
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in FORMULA_STARTS + "'" else text


class _Row(NamedTuple):
    line: int
    sha256: str
    path: str
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool


class _Linked(NamedTuple):
    sha256: str
    label: NewLabel


def _text(file: Path) -> str:
    from monitor.errors import DataError, InputMissingError

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InputMissingError(f"{shown(file)}: cannot be read: {error.strerror}; check the path") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{shown(file)}:{line}: is not UTF-8; save the table as CSV in UTF-8") from None


def parse(file: Path, zone: ZoneInfo) -> tuple[list[_Row], list[_Problem]]:
    """The rows that are what they should be, and what is wrong with the others, by line."""
    from monitor.errors import DataError

    reader = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True, restval="")
    rows: list[_Row] = []
    problems: list[_Problem] = []
    now = datetime.now(UTC)
    try:
        header = reader.fieldnames or ()
        if "label" not in header or not {"sha256", "path"} & set(header):
            raise DataError(
                f"{shown(file)}:1: the first line must name the columns, separated by commas: label, and sha256 or "
                f"path; it names {', '.join(map(printable, header)) or 'none'}"
            )
        for cells in reader:
            try:
                rows.append(_row(reader.line_num, cells, zone, now))
            except ValueError as error:
                problems.append((reader.line_num, str(error)))
    except csv.Error as error:
        raise DataError(
            f"{shown(file)}:{reader.reader.line_num}: is no CSV: {error}; nothing is imported, mend the table"
        ) from None
    return rows, problems


def _row(line: int, cells: Mapping[str | None, Any], zone: ZoneInfo, now: datetime) -> _Row:
    """One row; raises `ValueError` with a sentence."""
    if None in cells:
        raise ValueError("holds more cells than the first line names; put text with commas into quotation marks")
    values = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    sha256, path = values["sha256"].lower(), _unguarded(values["path"])
    if not sha256 and not path:
        raise ValueError("has neither a sha256 nor a path; give one")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"the sha256 {printable(sha256)[:80]!r} is not 64 hexadecimal digits")
    if values["label"] not in set(Label):
        raise ValueError(f"the label {printable(values['label'])[:80]!r} is neither proliv nor ne_proliv")
    source = values["source"] or "import"
    if source not in SOURCES:
        raise ValueError(f"the source {printable(source)[:80]!r} is none of {', '.join(SOURCES)}; leave it empty")
    if values["settles"].lower() not in TRUTHS:
        raise ValueError(f"settles is {printable(values['settles'])[:80]!r}; write 1 or 0, or leave it empty")
    author = _words(values["author"], LONGEST_AUTHOR, "author")
    note = _words(values["note"], LONGEST_NOTE, "note")
    at = _at(values["at"], zone, now)
    return _Row(line, sha256, path, values["label"], source, author, at, note, TRUTHS[values["settles"].lower()])


def _words(text: str, longest: int, column: str) -> str | None:
    words = _unguarded(text)
    # What the export wrote is printable and has its backslashes doubled already.
    plain = words.replace("\\", "")
    shown = words if printable(plain) == plain else printable(words)
    if len(shown) > longest:
        raise ValueError(f"the {column} has {len(shown)} characters; at most {longest} are kept, shorten it")
    return shown or None


def _at(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if not text:
        return now
    try:
        moment = parse_time(text, zone)
    except ValueError:
        raise ValueError(f"at is {printable(text)[:80]!r}, which is not a time; write it as 2024-05-01T14:30") from None
    if moment > now + FUTURE:
        raise ValueError(f"at is {text!r}, which lies in the future; such a label would always be the newest")
    return moment


def link(connection: Connection, rows: Sequence[_Row]) -> tuple[list[_Linked], list[_Problem]]:
    """Find the crop of each row: of its content, and only without one of its path."""
    from monitor.store import labelled_files
    from monitor.store import labels as stored

    by_content = labelled_files.crops_of_contents(connection, {row.sha256 for row in rows if row.sha256})
    by_path: dict[str, list[FoundCrop]] = {}
    for crop in stored.find_crops(connection, paths={row.path for row in rows if row.path}):
        if crop.state == "scored":
            by_path.setdefault(crop.path, []).append(crop)
    linked: list[_Linked] = []
    problems: list[_Problem] = []
    for row in rows:
        at_path = by_path.get(row.path, [])
        same = [crop for crop in at_path if crop.sha256 == row.sha256]
        if same:
            crop_id, sha256 = same[0].id, row.sha256
        elif row.sha256 in by_content:
            crop_id, sha256 = by_content[row.sha256], row.sha256
        elif not row.sha256 and len(at_path) == 1:
            crop_id, sha256 = at_path[0].id, at_path[0].sha256
        else:
            problems.append((row.line, _unknown(row, at_path)))
            continue
        linked.append(_Linked(sha256, stored.NewLabel(crop_id, *row[3:])))
    return linked, problems


def _unknown(row: _Row, at_path: Sequence[FoundCrop]) -> str:
    if row.sha256:
        return f"no scored crop has the sha256 {row.sha256}; score its file first: monitor score DIR"
    if at_path:
        return f"{printable(row.path)}: {len(at_path)} crops had this path one after another; give the sha256"
    return f"{printable(row.path)}: no scored crop has this path; score it first: monitor score DIR"


def not_there_yet(connection: Connection, linked: Sequence[_Linked]) -> list[NewLabel]:
    """Those that are not there already, in the order of their times, each once."""
    from monitor.store import labels as stored

    before = stored.labels_of_contents(connection, {one.sha256 for one in linked})
    known = {(sha256, row.label, row.author, row.at) for sha256, rows in before.items() for row in rows}
    new = []
    for sha256, label in linked:
        key = (sha256, label.label, label.author, label.at)
        if key not in known:
            known.add(key)
            new.append(label)
    return new


def shown(file: Path) -> str:
    """How messages name the file."""
    return "standard input" if str(file) == "-" else printable(file)
