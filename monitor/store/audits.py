"""Random draws of crops to be labelled; see `monitor.labels.labels` for what a labelled crop of a draw stands for."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store.database.schema import audit_crops, audits, crops, labels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection


ROWS: Final = 10_000
"""Rows that are held in memory at once."""


class DrawnCrop(NamedTuple):
    """A crop that was drawn at random to be labelled."""

    audit: int
    id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None


def eligible_crops(connection: Connection) -> dict[int, int]:
    """How many crops each random draw was made from, by the draw's id."""
    return {row.id: row.eligible for row in connection.execute(select(audits.c.id, audits.c.eligible))}


def span_to_audit(connection: Connection) -> tuple[int, int]:
    """(first, last): the ids of the crops that were stored since the last draw; empty where last < first."""
    before = connection.execute(select(func.max(audits.c.last_crop_id))).scalar() or 0
    return before + 1, connection.execute(select(func.max(crops.c.id))).scalar() or 0


def crops_to_audit(connection: Connection, first: int, last: int) -> Sequence[int]:
    """The ids of the crops in this span that were let pass and have no label, each content once, in 8 bytes each.

    Only the crop that stands for its content counts, so that a content that was there before is not drawn again.
    """
    earlier = crops.alias()
    in_operation = ("inbox", "folder")
    repeated = (
        select(earlier.c.id)
        .where(
            *(earlier.c.sha256 == crops.c.sha256, earlier.c.id < crops.c.id, earlier.c.state == "scored"),
            earlier.c.source.in_(in_operation),
        )
        .exists()
    )
    labelled = select(crops.c.sha256).join(labels, labels.c.crop_id == crops.c.id)
    query = (
        select(crops.c.id)
        .where(
            *(crops.c.id >= first, crops.c.id <= last, crops.c.source.in_(in_operation)),
            # Most crops have this verdict: an index on verdicts would lead through all of them, whatever the span.
            *(crops.c.state == "scored", func.coalesce(crops.c.verdict, "") == "ne_proliv"),
            *(crops.c.sha256.not_in(labelled), ~repeated),
        )
        .order_by(crops.c.id)
    )
    return array("q", connection.execute(query, execution_options={"yield_per": ROWS}).scalars())


def add_audit(
    connection: Connection, *, author: str | None, first: int, last: int, eligible: int, drawn: Collection[int]
) -> int:
    """Store a random draw; return its id."""
    values = {"drawn_at": datetime.now(UTC), "author": author, "first_crop_id": first, "last_crop_id": last}
    result = connection.execute(audits.insert().values(**values, eligible=eligible))
    assert result.inserted_primary_key is not None
    audit = int(result.inserted_primary_key[0])
    connection.execute(audit_crops.insert(), [{"audit_id": audit, "crop_id": crop_id} for crop_id in sorted(drawn)])
    return audit


def drawn_crops(connection: Connection, audit: int | None = None) -> list[DrawnCrop]:
    """The crops of a draw; without one, those of all draws whose content has no label yet."""
    query = (
        select(
            *(audit_crops.c.audit_id, crops.c.id, crops.c.path, crops.c.sha256, crops.c.hole, crops.c.camera),
            crops.c.captured_at,
        )
        .join(crops, crops.c.id == audit_crops.c.crop_id)
        .order_by(audit_crops.c.audit_id, crops.c.id)
    )
    if audit is None:
        labelled = select(crops.c.sha256).join(labels, labels.c.crop_id == crops.c.id)
        query = query.where(crops.c.sha256.not_in(labelled))
    else:
        query = query.where(audit_crops.c.audit_id == audit)
    return [DrawnCrop._make(row) for row in connection.execute(query)]
