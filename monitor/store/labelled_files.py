"""The labelled folders as they were last seen, and the labels that their files give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update

from monitor.files.chunks import chunks
from monitor.store import decisions, kept
from monitor.store.conditions import rank_of_source
from monitor.store.database.rows import VALUES_AT_ONCE, columns_of, select_rows
from monitor.store.database.schema import crops, labelled_files, labels
from monitor.store.database.upsert import upsert
from monitor.store.decisions import Recorded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.files.looks import StoredLooks
    from monitor.store.crops import CropKey
    from monitor.store.decisions import CropRow


class LabelledFileRow(NamedTuple):
    """A row of `labelled_files`."""

    path: str
    label: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    crop_id: int | None
    reason: str | None
    error: str | None
    seen_at: datetime
    ctime_ns: int | None
    inode: int | None


def contents_in_both_folders(connection: Connection) -> set[str]:
    """The sha256 of contents that lie in labelled/proliv and in labelled/ne_proliv at once."""
    query = (
        select(labelled_files.c.sha256)
        .group_by(labelled_files.c.sha256)
        .having(func.count(labelled_files.c.label.distinct()) > 1)
    )
    return set(connection.execute(query).scalars())


def take_labelled(connection: Connection, files: Sequence[tuple[str, CropRow]]) -> Recorded:
    """Store the labels of files, given as (label, the file as a crop); return what was not stored before.

    The label goes to the scored crop with the same content, whether or not the file itself can be decoded; only if
    there is none does the file become a crop of its own. A label is added only if it differs from the newest one that
    the folders gave to the content, so looking at the same files again adds nothing. ``failed`` of the result: files
    that turned out to be unreadable, or that are so for another reason than before.
    """
    if not files:
        return Recorded({}, set(), {})
    contents = {row.sha256 for _, row in files if row.sha256}
    crop_ids = crops_of_contents(connection, contents)
    fresh = {row.sha256: row for _, row in reversed(files) if row.scores and row.sha256 not in crop_ids}
    recorded = decisions.record(connection, list(fresh.values()))
    crop_ids |= crops_of_contents(connection, fresh.keys())
    _add_folder_labels(connection, files, crop_ids)
    before = known_files(connection, [row.path for _, row in files])
    found = {row.path: _file_row(label, row, crop_ids.get(row.sha256)) for label, row in files}
    if found:
        statement = upsert(connection.dialect.name, labelled_files)
        new = {name: statement.excluded[name] for name in LabelledFileRow._fields if name != "path"}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["path"], set_=new),
            [row._asdict() for row in found.values()],
        )
    failed: set[CropKey] = {
        (row.path, row.sha256)
        for row in found.values()
        if row.reason is not None and not (row.path in before and _same_failure(before[row.path], row))
    }
    return Recorded(recorded.decided, failed, recorded.ids)


def _add_folder_labels(connection: Connection, files: Iterable[tuple[str, CropRow]], crop_ids: dict[str, int]) -> None:
    newest = _newest_folder_labels(connection, crop_ids.keys())
    now = datetime.now(UTC)
    values: list[dict[str, Any]] = []
    for label, row in files:
        crop_id = crop_ids.get(row.sha256)
        if crop_id is not None and newest.get(row.sha256) != label:
            newest[row.sha256] = label
            values.append({"crop_id": crop_id, "label": label, "source": "folder", "at": now, "recorded_at": now})
    if values:
        connection.execute(labels.insert(), values)
        kept.owe(connection, [value["crop_id"] for value in values], now)


def _newest_folder_labels(connection: Connection, contents: Collection[str]) -> dict[str, str]:
    query = (
        select(crops.c.sha256, labels.c.label)
        .join(labels, labels.c.crop_id == crops.c.id)
        .where(crops.c.sha256.in_(sorted(contents)), labels.c.source == "folder")
        .order_by(labels.c.at, labels.c.id)
    )
    return {row.sha256: row.label for row in connection.execute(query)}


def _file_row(label: str, row: CropRow, crop_id: int | None) -> LabelledFileRow:
    # It does not matter that this file cannot be read if its content was scored under another name.
    reason, error = (row.reason, row.error) if crop_id is None else (None, None)
    return LabelledFileRow(
        *(row.path, label, row.sha256, row.size_bytes, row.mtime_ns, crop_id, reason, error, row.seen_at),
        *(row.ctime_ns, row.inode),
    )


def _same_failure(before: LabelledFileRow, now: LabelledFileRow) -> bool:
    return (before.sha256, before.reason) == (now.sha256, now.reason)


def crops_of_contents(connection: Connection, contents: Collection[str]) -> dict[str, int]:
    """By content, the id of the scored crop that stands for it: the first one in operation, or else the first one."""
    found: dict[str, int] = {}
    for chunk in chunks(sorted(contents), VALUES_AT_ONCE):
        query = (
            select(crops.c.sha256, crops.c.id)
            .where(crops.c.sha256.in_(chunk), crops.c.state == "scored")
            .order_by(rank_of_source(), crops.c.id)
        )
        for sha256, crop_id in connection.execute(query):
            found.setdefault(sha256, crop_id)
    return found


def known_files(connection: Connection, paths: Collection[str]) -> dict[str, LabelledFileRow]:
    """The labelled files at these paths as they were last seen, by path."""
    return {row.path: row for row in _files(connection, labelled_files.c.path.in_(sorted(paths)))}


def files_of_contents(connection: Connection, contents: Collection[str]) -> list[LabelledFileRow]:
    """The labelled files with these contents as they were last seen."""
    return _files(connection, labelled_files.c.sha256.in_(sorted(contents)))


def all_files(connection: Connection) -> list[LabelledFileRow]:
    """Every labelled file as it was last seen."""
    return _files(connection)


def set_looks(connection: Connection, looks: Mapping[str, StoredLooks]) -> None:
    """Store, by path, what these files look like now that their content is known to be the same."""
    if looks:
        values = [{"the_path": path, **one._asdict()} for path, one in looks.items()]
        connection.execute(update(labelled_files).where(labelled_files.c.path == bindparam("the_path")), values)


def forget_files(connection: Connection, paths: Collection[str]) -> None:
    """Forget labelled files that are gone; the labels that they gave are kept.

    If a content lay in both folders and now lies in one, a person has removed the wrong copy: the label of the other
    one is given again, so that it is the newest and counts.
    """
    contents: set[str] = set()
    for chunk in chunks(sorted(paths), VALUES_AT_ONCE):
        gone = labelled_files.c.path.in_(chunk)
        contents |= set(connection.execute(select(labelled_files.c.sha256).where(gone)).scalars())
        connection.execute(delete(labelled_files).where(gone))
    now = datetime.now(UTC)
    for chunk in chunks(sorted(contents), VALUES_AT_ONCE):
        left = [row for row in files_of_contents(connection, chunk) if row.crop_id is not None]
        newest = _newest_folder_labels(connection, chunk)
        said = {sha256: {row.label for row in left if row.sha256 == sha256} for sha256 in chunk}
        values = {
            row.sha256: {"crop_id": row.crop_id, "label": row.label, "source": "folder", "at": now, "recorded_at": now}
            for row in left
            if said[row.sha256] == {row.label} and newest.get(row.sha256) != row.label
        }
        if values:
            connection.execute(labels.insert(), list(values.values()))


def _files(connection: Connection, *conditions: Any) -> list[LabelledFileRow]:
    query = select(*columns_of(labelled_files, LabelledFileRow)).where(*conditions)
    return select_rows(connection, LabelledFileRow, query)
