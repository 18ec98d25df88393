"""Export labels to a table and import them from one."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from monitor.files.text import printable
from monitor.labels.table import COLUMNS, Problem, cells
from monitor.store.labelled_files import crops_of_contents
from monitor.store.labels import NewLabel, add_labels, find_crops, labels_of_contents
from monitor.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

    from sqlalchemy.engine import Connection

    from monitor.labels.table import Row, Table
    from monitor.store.labels import FoundCrop, GivenLabelRow, LabelRow


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table: how many labels are new, how many were there already, and which rows are wrong.

    ``taken_back``: rows that were left out because their label did not count any more.
    """

    new: int
    known: int
    problems: Sequence[Problem]
    taken_back: int = 0


class _Linked(NamedTuple):
    """A label of a row whose crop was found, with the crop's content."""

    sha256: str
    label: NewLabel


def export_labels(labels: Iterable[GivenLabelRow], file: TextIO, *, excel: tzinfo | None = None) -> int:
    """Write labels as CSV and return how many there are; rows that only take back others are left out.

    ``excel``: write it so that Excel opens it in columns, in Russia too: semicolons, a byte order mark, and times on
    this clock.
    """
    if excel:
        file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\r\n" if excel else "\n", delimiter=";" if excel else ",")
    writer.writerow(COLUMNS)
    count = 0
    for label in labels:
        if label.undoes is None:
            writer.writerow(cells(label, excel or UTC))
            count += 1
    return count


def as_dict(label: GivenLabelRow) -> dict[str, Any]:
    """A label by the names of its columns, ready for JSON."""
    return {**label._asdict(), "captured_at": iso(label.captured_at), "at": iso(label.at)}


def import_labels(connection: Connection, table: Table, *, author: str, skip_wrong: bool = False) -> Imported:
    """Add the labels of a table; one that is there already (content, label, author and time) is not added again.

    ``author`` is credited with the labels of rows that name no author; such a row counts as already stored if anyone
    gave that label at that time. Each goes to the crop with its sha256, and only without one to the crop of its path.
    When a row is wrong, nothing is added, unless ``skip_wrong`` leaves the wrong rows out. What was taken back is not
    given again by an older export.
    """
    standing = [row for row in table.rows if not row.taken_back]
    linked, unlinked = _link(connection, standing)
    problems = sorted([*table.problems, *unlinked])
    if problems and not skip_wrong:
        return Imported(0, 0, problems)
    new = _new_labels(connection, linked, author)
    add_labels(connection, new)
    return Imported(len(new), len(linked) - len(new), problems, len(table.rows) - len(standing))


def _link(connection: Connection, rows: Sequence[Row]) -> tuple[list[_Linked], list[Problem]]:
    """Find the crop of each row."""
    by_content = crops_of_contents(connection, {row.sha256 for row in rows if row.sha256})
    by_path: dict[str, list[FoundCrop]] = {}
    places = {row.path: _stored_path(row.path) for row in rows if row.path}
    for crop in find_crops(connection, paths=set(places.values())):
        if crop.state == "scored":
            by_path.setdefault(crop.path, []).append(crop)
    linked: list[_Linked] = []
    problems: list[Problem] = []
    for row in rows:
        at_path = by_path.get(places.get(row.path, ""), [])
        same = [crop for crop in at_path if crop.sha256 == row.sha256]
        if same:
            crop_id, sha256 = same[0].id, row.sha256
        elif row.sha256 in by_content:
            crop_id, sha256 = by_content[row.sha256], row.sha256
        elif not row.sha256 and len(at_path) == 1:
            crop_id, sha256 = at_path[0].id, at_path[0].sha256
        else:
            problems.append(Problem(row.line, _why_unknown(row, at_path)))
            continue
        linked.append(
            _Linked(sha256, NewLabel(crop_id, row.label, row.source, row.author, row.at, row.note, row.settles))
        )
    return linked, problems


def _stored_path(path: str) -> str:
    """A path of a table as crops are stored; one that is not absolute is below the working directory."""
    return path if path.startswith("/") else os.path.normpath(f"{printable(os.getcwd())}/{path}")  # noqa: PTH109


def _why_unknown(row: Row, at_path: Sequence[FoundCrop]) -> str:
    if row.sha256:
        return f"no scored crop has the sha256 {row.sha256}; score its file first: monitor score DIR"
    if at_path:
        return f"{printable(row.path)}: {len(at_path)} crops have had this path one after another; give the sha256"
    return f"{printable(row.path)}: no scored crop has this path; score it first: monitor score DIR"


def _new_labels(connection: Connection, linked: Sequence[_Linked], author: str) -> list[NewLabel]:
    """Those that are not stored yet, each once, and with an author."""
    stored = labels_of_contents(connection, {one.sha256 for one in linked}, even_taken_back=True)
    known = {key for sha256, rows in stored.items() for row in rows for key in _keys(sha256, row)}
    new = []
    for sha256, label in linked:
        keys = _keys(sha256, label)
        if keys[0] not in known:
            known.update(keys)
            # Labels from the labelled folder have no author; all others need one, since only the author can undo them.
            nobodys = label.author is None and label.source != "folder"
            new.append(label._replace(author=author) if nobodys else label)
    return new


def _keys(sha256: str, label: NewLabel | LabelRow) -> tuple[tuple[object, ...], ...]:
    """What tells a label from others: with its author, and without."""
    return (sha256, label.label, label.author, label.at), (sha256, label.label, None, label.at)
