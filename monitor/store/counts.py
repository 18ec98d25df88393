"""How many crops and decisions there are in the whole store, from the tallies that are kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from monitor.store.conditions import in_operation
from monitor.store.database.schema import crop_tallies, crops, models, score_tallies, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class CropCounts(NamedTuple):
    """Crops of the inbox by what became of them.

    ``final``: final decisions by verdict. ``verdicts``: decisions of single models, by (model's name, verdict).
    ``by_hand``: crops of folders that were scored by hand, which are in none of the other numbers.
    """

    scored: int
    failed: int
    failed_by_reason: dict[str, int]
    final: dict[str, int]
    verdicts: dict[tuple[str, str], int]
    last_scored_at: datetime | None
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
    return CropCounts(
        scored=sum(int(row.crops) for row in found if row.state == "scored"),
        failed=sum(int(row.crops) for row in found if row.state == "failed"),
        failed_by_reason={row.reason: int(row.crops) for row in found if row.state == "failed"},
        final={row.verdict: int(row.crops) for row in found if row.state == "scored"},
        verdicts={(name, verdict): int(count) for name, verdict, count in connection.execute(verdicts) if count},
        last_scored_at=_last_scored_at(connection),
        by_hand=int(connection.execute(by_hand).scalar() or 0),
    )


def _last_scored_at(connection: Connection) -> datetime | None:
    """When the last decision on a crop of the inbox was made."""
    # Two lookups by id, where the latest time of all decisions would be found by reading every one of them.
    scored = select(crops.c.id).where(in_operation(), crops.c.state == "scored").order_by(crops.c.id.desc()).limit(1)
    crop_id = connection.execute(scored).scalar()
    return connection.execute(select(func.max(scores.c.scored_at)).where(scores.c.crop_id == crop_id)).scalar()
