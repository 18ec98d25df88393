"""Stored crops: found by path, by id and by content; where their files are archived; their final decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, exists, select, update

from monitor.files.chunks import chunks
from monitor.store.database.among import among
from monitor.store.database.rows import VALUES_AT_ONCE, columns_of, select_rows
from monitor.store.database.schema import crops, labels
from monitor.words import Identity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.files.looks import StoredLooks

# (path, sha256), which identifies a crop.
CropKey = tuple[str, str]


class KnownCrop(NamedTuple):
    """A stored crop with what its file looked like when it was read, see `monitor.files.looks`."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    seen_at: datetime
    state: str
    hole: int | None
    reason: str | None
    error: str | None
    verdict: str | None
    source: str
    archived_path: str | None
    ctime_ns: int | None
    inode: int | None
    camera: str | None = None


class DecisionRow(NamedTuple):
    """A crop with its final decision."""

    crop_id: int
    path: str
    hole: int | None
    score: float
    threshold: float
    verdict: str


def known_crops(connection: Connection, paths: Sequence[str]) -> dict[str, list[KnownCrop]]:
    """The stored crops at these paths; a path whose content changed has several."""
    known: dict[str, list[KnownCrop]] = {}
    query = select(*columns_of(crops, KnownCrop)).where(among(crops.c.path, paths))
    for row in select_rows(connection, KnownCrop, query):
        known.setdefault(row.path, []).append(row)
    return known


def crop_by_id(connection: Connection, crop_id: int) -> KnownCrop | None:
    """The crop with this id, or None."""
    query = select(*columns_of(crops, KnownCrop)).where(crops.c.id == crop_id)
    return next(iter(select_rows(connection, KnownCrop, query)), None)


def crops_by_ids(connection: Connection, ids: Collection[int]) -> list[KnownCrop]:
    """The crops with these ids, in the order of their ids."""
    found: list[KnownCrop] = []
    for chunk in chunks(sorted(ids), VALUES_AT_ONCE):
        query = select(*columns_of(crops, KnownCrop)).where(crops.c.id.in_(chunk)).order_by(crops.c.id)
        found += select_rows(connection, KnownCrop, query)
    return found


def identities(connection: Connection, ids: Sequence[int]) -> dict[int, Identity]:
    """What the names of these crops' files said, by crop id."""
    query = select(crops.c.id, crops.c.hole, crops.c.camera, crops.c.captured_at).where(crops.c.id.in_(ids))
    return {crop_id: Identity(*said) for crop_id, *said in connection.execute(query)}


def paths_by_digest(connection: Connection, beginning: str) -> list[str]:
    """The paths of the crops whose sha256 begins so, the newest first."""
    # As a range, which the index on the digests answers; "g" comes after every digit.
    within = crops.c.sha256.between(beginning, f"{beginning}g")
    return list(connection.execute(select(crops.c.path).where(within).order_by(crops.c.id.desc())).scalars())


def set_looks(connection: Connection, looks: Mapping[int, StoredLooks]) -> None:
    """Store, by crop id, what the files of these crops look like now that their content is known to be the same."""
    if looks:
        values = [{"crop_id": crop_id, **one._asdict()} for crop_id, one in looks.items()]
        connection.execute(update(crops).where(crops.c.id == bindparam("crop_id")), values)


def forget_unreadable(connection: Connection, ids: Collection[int]) -> None:
    """Forget those of these crops whose content was never read and that have no label."""
    labelled = exists().where(labels.c.crop_id == crops.c.id)
    connection.execute(delete(crops).where(crops.c.id.in_(sorted(ids)), crops.c.sha256 == "", ~labelled))


def set_archived_paths(connection: Connection, places: Mapping[int, str]) -> None:
    """Store, by crop id, where the files of these crops will be moved to."""
    if places:
        values = [{"crop_id": crop_id, "place": place} for crop_id, place in places.items()]
        statement = update(crops).where(crops.c.id == bindparam("crop_id")).values(archived_path=bindparam("place"))
        connection.execute(statement, values)


def archived_places(connection: Connection, contents: Collection[str]) -> dict[str, list[str]]:
    """By content, the archived paths of its crops."""
    query = select(crops.c.sha256, crops.c.archived_path).where(
        crops.c.sha256.in_(sorted(contents)), crops.c.archived_path.is_not(None)
    )
    found: dict[str, list[str]] = {}
    for sha256, place in connection.execute(query.order_by(crops.c.id)):
        found.setdefault(sha256, []).append(place)
    return found


def is_place_of_another(connection: Connection, crop_id: int, sha256: str, place: str) -> bool:
    """Whether another crop with the same content has this archived path."""
    query = select(crops.c.id).where(crops.c.sha256 == sha256, crops.c.archived_path == place, crops.c.id != crop_id)
    return connection.execute(query.limit(1)).first() is not None


def decisions_after(connection: Connection, crop_id: int) -> list[DecisionRow]:
    """The final decisions on the crops that were stored after the crop ``crop_id``, in the order of storing."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.hole),
            *(crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict),
        )
        .where(crops.c.id > crop_id, crops.c.state == "scored")
        .order_by(crops.c.id)
    )
    return select_rows(connection, DecisionRow, query)
