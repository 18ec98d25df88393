"""Crops as rows: by path, by content, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select, update

from monitor.store.database.schema import crops

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection


CropKey = tuple[str, str]
"""(path, sha256): what names a crop."""


class KnownCrop(NamedTuple):
    """A stored crop as its file looked when it was read; a changed file has another size or time."""

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
    columns = [getattr(crops.c, name) for name in KnownCrop._fields]
    known: dict[str, list[KnownCrop]] = {}
    for row in connection.execute(select(*columns).where(crops.c.path.in_(paths))):
        known.setdefault(row.path, []).append(KnownCrop._make(row))
    return known


def crop_by_id(connection: Connection, crop_id: int) -> KnownCrop | None:
    """One stored crop; none where there is no such."""
    columns = [getattr(crops.c, name) for name in KnownCrop._fields]
    row = connection.execute(select(*columns).where(crops.c.id == crop_id)).first()
    return None if row is None else KnownCrop._make(row)


def set_archived_paths(connection: Connection, places: Mapping[int, str]) -> None:
    """Note where the files of these crops, by their ids, will be moved to."""
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
    """Whether another crop of the same content has this archived path."""
    query = select(crops.c.id).where(crops.c.sha256 == sha256, crops.c.archived_path == place, crops.c.id != crop_id)
    return connection.execute(query.limit(1)).first() is not None


def decisions_after(connection: Connection, crop_id: int) -> list[DecisionRow]:
    """The final decisions on crops that were stored after the crop ``crop_id``, in that order."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.hole),
            *(crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict),
        )
        .where(crops.c.id > crop_id, crops.c.state == "scored")
        .order_by(crops.c.id)
    )
    return [DecisionRow._make(row) for row in connection.execute(query)]
