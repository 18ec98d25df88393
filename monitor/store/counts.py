"""How many crops and decisions there are in the whole store, from the tallies that are kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store.conditions import in_operation
from monitor.store.database.schema import crop_tallies, crops, models, score_tallies, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


# How many of the newest crops are looked at for one of the inbox. Where more than these were scored by hand since, it
# is not looked for further back.
LOOKED_AT: Final = 100_000


class CropCounts(NamedTuple):
    """Crops of the inbox by what became of them.

    ``final``: final decisions by verdict. ``verdicts``: decisions of single models, by (model's name, verdict).
    ``last_scored_at``: when the last decision was made; None before the first, and where it was made before
    ``last_scored_before``, since when `LOOKED_AT` other crops came.
    ``by_hand``: crops of folders that were scored by hand, which are in none of the other numbers.
    """

    scored: int
    failed: int
    failed_by_reason: dict[str, int]
    final: dict[str, int]
    verdicts: dict[tuple[str, str], int]
    last_scored_at: datetime | None
    last_scored_before: datetime | None
    by_hand: int


def count_crops(connection: Connection) -> CropCounts:
    """Count crops, failures and verdicts in a few milliseconds."""
    kind = (crop_tallies.c.state, crop_tallies.c.reason, crop_tallies.c.verdict)
    counted = select(*kind, func.sum(crop_tallies.c.crops).label("crops")).where(crop_tallies.c.source == "inbox")
    by_hand = select(func.sum(crop_tallies.c.crops)).where(crop_tallies.c.source == "folder")
    found = [row for row in connection.execute(counted.group_by(*kind)) if row.crops]
    verdicts = (
        select(models.c.name, score_tallies.c.verdict, func.sum(score_tallies.c.scores))
        .join(models, models.c.id == score_tallies.c.model_id)
        .where(score_tallies.c.source == "inbox")
        .group_by(models.c.name, score_tallies.c.verdict)
    )
    scored = sum(int(row.crops) for row in found if row.state == "scored")
    last, looked_back_until = _last_scored(connection) if scored else (None, None)
    return CropCounts(
        scored=scored,
        failed=sum(int(row.crops) for row in found if row.state == "failed"),
        failed_by_reason={row.reason: int(row.crops) for row in found if row.state == "failed"},
        final={row.verdict: int(row.crops) for row in found if row.state == "scored"},
        verdicts={(name, verdict): int(count) for name, verdict, count in connection.execute(verdicts) if count},
        last_scored_at=last,
        last_scored_before=looked_back_until,
        by_hand=int(connection.execute(by_hand).scalar() or 0),
    )


def _last_scored(connection: Connection) -> tuple[datetime | None, datetime | None]:
    """When the last decision on a crop of the inbox was made, or since when only other crops have come."""
    # Lookups by id, where the latest time of all decisions would be found by reading every one of them.
    newest = connection.execute(select(func.max(crops.c.id))).scalar() or 0
    looked_at = crops.c.id > newest - LOOKED_AT
    scored = select(crops.c.id).where(in_operation(), crops.c.state == "scored", looked_at)
    crop_id = connection.execute(scored.order_by(crops.c.id.desc()).limit(1)).scalar()
    if crop_id is None:
        return None, connection.execute(select(crops.c.seen_at).where(looked_at).order_by(crops.c.id).limit(1)).scalar()
    return connection.execute(select(func.max(scores.c.scored_at)).where(scores.c.crop_id == crop_id)).scalar(), None
