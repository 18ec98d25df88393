"""Export labels to a table and import them from one."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from monitor.files.text import printable
from monitor.labels.table import COLUMNS, Problem, cells
from monitor.store.labelled_files import crops_of_contents
from monitor.store.labels import NewLabel, add_labels, find_crops, given_labels, labels_of_contents
from monitor.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.labels.table import Row, Table
    from monitor.store.labels import FoundCrop, GivenLabelRow


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table: how many labels are new, how many were there already, and which rows are wrong."""

    new: int
    known: int
    problems: Sequence[Problem]


class _Linked(NamedTuple):
    """A label of a row whose crop was found, with the crop's content."""

    sha256: str
    label: NewLabel


def export_labels(connection: Connection, file: TextIO) -> int:
    """Write every label as CSV, the oldest first, and return how many there are."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for label in given_labels(connection):
        writer.writerow(cells(label))
        count += 1
    return count


def as_dict(label: GivenLabelRow) -> dict[str, Any]:
    """A label by the names of its columns, ready for JSON."""
    return {**label._asdict(), "captured_at": iso(label.captured_at), "at": iso(label.at)}


def import_labels(connection: Connection, table: Table, *, skip_wrong: bool = False) -> Imported:
    """Add the labels of a table; one that is there already (content, label, author and time) is not added again.

    Each goes to the crop of its sha256, and only without one to the crop of its path. When a row is wrong, nothing is
    added, unless ``skip_wrong`` leaves the wrong rows out.
    """
    linked, unlinked = _link(connection, table.rows)
    problems = sorted([*table.problems, *unlinked])
    if problems and not skip_wrong:
        return Imported(0, 0, problems)
    new = _new_labels(connection, linked)
    add_labels(connection, new)
    return Imported(len(new), len(linked) - len(new), problems)


def _link(connection: Connection, rows: Sequence[Row]) -> tuple[list[_Linked], list[Problem]]:
    """Find the crop of each row."""
    by_content = crops_of_contents(connection, {row.sha256 for row in rows if row.sha256})
    by_path: dict[str, list[FoundCrop]] = {}
    for crop in find_crops(connection, paths={row.path for row in rows if row.path}):
        if crop.state == "scored":
            by_path.setdefault(crop.path, []).append(crop)
    linked: list[_Linked] = []
    problems: list[Problem] = []
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
            problems.append(Problem(row.line, _why_unknown(row, at_path)))
            continue
        linked.append(
            _Linked(sha256, NewLabel(crop_id, row.label, row.source, row.author, row.at, row.note, row.settles))
        )
    return linked, problems


def _why_unknown(row: Row, at_path: Sequence[FoundCrop]) -> str:
    if row.sha256:
        return f"no scored crop has the sha256 {row.sha256}; score its file first: monitor score DIR"
    if at_path:
        return f"{printable(row.path)}: {len(at_path)} crops have had this path one after another; give the sha256"
    return f"{printable(row.path)}: no scored crop has this path; score it first: monitor score DIR"


def _new_labels(connection: Connection, linked: Sequence[_Linked]) -> list[NewLabel]:
    """Those that are not stored yet, each once."""
    stored = labels_of_contents(connection, {one.sha256 for one in linked})
    known = {(sha256, row.label, row.author, row.at) for sha256, rows in stored.items() for row in rows}
    new = []
    for sha256, label in linked:
        key = (sha256, label.label, label.author, label.at)
        if key not in known:
            known.add(key)
            new.append(label)
    return new
