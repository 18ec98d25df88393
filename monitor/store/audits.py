"""Audits: random draws of crops to be labelled. `monitor.labels.labels` says what a labelled crop of one stands for."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store import kept
from monitor.store.conditions import in_operation, labelled_contents, repeats_earlier
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import audit_crops, audits, crops

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

# Rows that memory holds at once.
ROWS: Final = 10_000


class DrawnCrop(NamedTuple):
    """A crop that was drawn at random to be labelled; ``unusual``: see `monitor.scoring.vote.unusual`."""

    audit: int
    id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    unusual: bool


class DrawnTime(NamedTuple):
    """When a drawn crop was seen; ``unusual``: whether it was drawn from the unusual crops alone."""

    seen_at: datetime
    unusual: bool


class CropsToAudit(NamedTuple):
    """Ids of crops that were passed and have no label, in their order: of the unusual ones and of all others."""

    unusual: Sequence[int]
    others: Sequence[int]


def eligible_crops(connection: Connection) -> dict[int, int]:
    """How many crops each draw was made from, by the draw's id."""
    return {row.id: row.eligible for row in connection.execute(select(audits.c.id, audits.c.eligible))}


def span_to_audit(connection: Connection) -> tuple[int, int]:
    """(first, last) id of the crops that were stored since the last draw; there are none if last < first."""
    before = connection.execute(select(func.max(audits.c.last_crop_id))).scalar() or 0
    return before + 1, connection.execute(select(func.max(crops.c.id))).scalar() or 0


def crops_to_audit(connection: Connection, first: int, last: int) -> CropsToAudit:
    """The crops in this span that were passed and have no label, 8 bytes each.

    Each content counts once, by its first crop, so that one that came before the span is not drawn again.
    """
    query = (
        select(crops.c.id, crops.c.unusual)
        .where(
            *(crops.c.id >= first, crops.c.id <= last, in_operation(), crops.c.state == "scored"),
            # Inside a function no index serves it: most crops have this verdict, so one would lead through nearly all.
            func.coalesce(crops.c.verdict, "") == "ne_proliv",
            *(crops.c.sha256.not_in(labelled_contents()), ~repeats_earlier()),
        )
        .order_by(crops.c.id)
    )
    found, others = array("q"), array("q")
    for crop_id, unusual in connection.execute(query, execution_options={"yield_per": ROWS}):
        (found if unusual else others).append(crop_id)
    return CropsToAudit(found, others)


def add_audit(
    connection: Connection,
    *,
    author: str | None,
    first: int,
    last: int,
    eligible: int,
    drawn: Collection[int],
    unusual: bool | None,
) -> int:
    """Store a draw of crops out of the ``eligible`` ones in the span; return its id.

    ``unusual``: whether these were the unusual ones or the others; None for both together.
    """
    values = {"drawn_at": datetime.now(UTC), "author": author, "first_crop_id": first, "last_crop_id": last}
    result = connection.execute(audits.insert().values(**values, eligible=eligible, unusual=unusual))
    assert result.inserted_primary_key is not None
    audit = int(result.inserted_primary_key[0])
    connection.execute(audit_crops.insert(), [{"audit_id": audit, "crop_id": crop_id} for crop_id in sorted(drawn)])
    kept.owe(connection, drawn)
    return audit


def drawn_crops(connection: Connection, draws: Collection[int] | None = None) -> list[DrawnCrop]:
    """The crops of some draws, or, for None, those of all draws whose content has no label yet; unusual ones first."""
    query = (
        select(
            *(audit_crops.c.audit_id, crops.c.id, crops.c.path, crops.c.sha256, crops.c.hole, crops.c.camera),
            *(crops.c.captured_at, crops.c.unusual),
        )
        .join(crops, crops.c.id == audit_crops.c.crop_id)
        .order_by(crops.c.unusual.desc(), audit_crops.c.audit_id, crops.c.id)
    )
    if draws is None:
        query = query.where(crops.c.sha256.not_in(labelled_contents()))
    else:
        query = query.where(audit_crops.c.audit_id.in_(sorted(draws)))
    return select_rows(connection, DrawnCrop, query)


def drawn_crop_times(connection: Connection) -> dict[int, DrawnTime]:
    """When the crops of all draws were seen, by crop id, without those scored by hand, which an older program drew."""
    of_unusual = {row.id for row in connection.execute(select(audits.c.id, audits.c.unusual)) if row.unusual}
    # An outer join, so that the query starts from the draws, which are few, whatever SQLite assumes about the tables.
    query = select(crops.c.id, crops.c.seen_at, crops.c.source, audit_crops.c.audit_id).select_from(
        audit_crops.outerjoin(crops, crops.c.id == audit_crops.c.crop_id)
    )
    return {
        row.id: DrawnTime(row.seen_at, row.audit_id in of_unusual)
        for row in connection.execute(query)
        if row.source == "inbox"
    }
