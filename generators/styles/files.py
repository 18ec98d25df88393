"""Reads style tables from TOML, JSON and CSV, of counts or of observations; ``docs/generators.md`` has the shapes."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from generators.styles.tables import StyleTable, check_count, clean, unique
from monitor.api import DataError, InputMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The columns of a CSV table of counts, in any order; every other heading is a table of observations.
COUNT_COLUMNS: Final = ("attribute", "value", "count")

SHAPES: Final = "give it either 'counts' or 'observations' (and with these, if you like, 'values')"


def read_table(path: Path) -> StyleTable:
    """Read the table ``path``, whose ending says what it is: ``.toml``, ``.json`` or ``.csv``, in UTF-8.

    Raises `InputMissingError` when it cannot be read, and `DataError` naming the line or the key of what is wrong.
    """
    readers = {".toml": _read_toml, ".json": _read_json, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: the name must end in .toml, .json or .csv, which says how the table is written")
    return reader(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputMissingError(f"{path}: cannot be read: {error.strerror}; name a file with a style table") from error
    try:
        # Spreadsheets begin what they save as UTF-8 with a byte order mark.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line}: the text is not UTF-8; save the file in UTF-8 encoding") from error


def _read_toml(text: str, source: str) -> StyleTable:
    try:
        # tomllib accepts no other line endings.
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: is not valid TOML: {error}; correct it") from error
    return _table(document, source)


def _read_json(text: str, source: str) -> StyleTable:
    try:
        document = json.loads(text, object_pairs_hook=partial(unique, where=source), parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: is not valid JSON: {error}; correct it") from error
    return _table({"observations": document} if isinstance(document, list) else document, source)


def _table(document: Any, source: str) -> StyleTable:
    """The table of a TOML or JSON document."""
    if not isinstance(document, dict) or ("counts" in document) == ("observations" in document):
        raise DataError(f"{source}: holds no style table; {SHAPES}")
    allowed = {"counts"} if "counts" in document else {"observations", "values"}
    if unknown := [key for key in document if key not in allowed]:
        raise DataError(f"{source}: the key {unknown[0]!r} means nothing here; {SHAPES}")
    if "counts" in document:
        counts = _object(document["counts"], f"{source}: counts", "each attribute with its values")
        for name, row in counts.items():
            _object(row, f"{source}: counts: {name}", "each value with its count")
        return StyleTable.of_counts(counts, source)
    observations = document["observations"]
    if not isinstance(observations, list):
        raise DataError(f"{source}: observations: must be a list of styles, each attribute = value")
    for number, observation in enumerate(observations, start=1):
        _object(observation, f"{source}: observation {number}", "a value of each attribute")
    values = _object(document.get("values", {}), f"{source}: values", "for attributes the list of their values")
    return StyleTable.of_observations(observations, values, source)


def _object(entry: Any, where: str, content: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: must hold {content}, not {entry!r:.60}")
    return entry


def _read_csv(text: str, source: str) -> StyleTable:
    try:
        rows = _csv_rows(text, source)
        _, heading = next(rows, ("", []))
        names = [clean(name, f"{source}: line 1") for name in heading]
        if sorted(names) == sorted(COUNT_COLUMNS):
            return _csv_counts(names, rows, source)
        return StyleTable.of_rows(names, rows, source=source)
    except csv.Error as error:
        raise DataError(f"{source}: is not valid CSV: {error}; correct it, or save it again") from error


def _csv_rows(text: str, source: str) -> Iterator[tuple[str, list[str]]]:
    """The rows that are not empty, all of one length, each with its place."""
    heading = text.partition("\n")[0]
    # Spreadsheets of countries with a decimal comma separate by semicolons.
    delimiter = ";" if ";" in heading and "," not in heading else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    width = None
    for row in reader:
        if not row:
            continue
        width = width or len(row)
        if len(row) != width:
            raise DataError(f"{source}: line {reader.line_num}: has {len(row)} cells, the heading has {width}")
        yield f"{source}: line {reader.line_num}", row


def _csv_counts(names: list[str], rows: Iterator[tuple[str, list[str]]], source: str) -> StyleTable:
    counts: dict[str, dict[str, int]] = {}
    order = [names.index(column) for column in COUNT_COLUMNS]
    for where, row in rows:
        attribute, value, number = (row[index] for index in order)
        attribute, value = clean(attribute, where), clean(value, where)
        values = counts.setdefault(attribute, {})
        if value in values:
            raise DataError(f"{where}: {value!r} of {attribute!r} is there twice; keep one of them")
        values[value] = check_count(_number(number), where)
    return StyleTable.of_counts(counts, source)


def _number(text: str) -> int | str:
    """The whole number that a text holds, or the text where it holds none."""
    digits = text.strip().removeprefix("-")
    # Over a hundred digits are too many for Python to read, and for a count.
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 100 else text
