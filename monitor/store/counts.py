"""How many crops and decisions there are in the whole store, from the tallies that are kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from monitor.store.database.schema import crop_tallies, models, score_tallies, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class CropCounts(NamedTuple):
    """Crops by what became of them.

    ``final``: final decisions by verdict. ``verdicts``: decisions of single models, by (model's name, verdict).
    """

    scored: int
    failed: int
    failed_by_reason: dict[str, int]
    final: dict[str, int]
    verdicts: dict[tuple[str, str], int]
    last_scored_at: datetime | None


def count_crops(connection: Connection) -> CropCounts:
    """Count crops, failures and verdicts in a few milliseconds, without the crops that came with their label."""
    kind = (crop_tallies.c.state, crop_tallies.c.reason, crop_tallies.c.verdict)
    counted = select(*kind, func.sum(crop_tallies.c.crops).label("crops")).where(crop_tallies.c.source != "labelled")
    found = [row for row in connection.execute(counted.group_by(*kind)) if row.crops]
    verdicts = (
        select(models.c.name, score_tallies.c.verdict, func.sum(score_tallies.c.scores))
        .join(models, models.c.id == score_tallies.c.model_id)
        .where(score_tallies.c.source != "labelled")
        .group_by(models.c.name, score_tallies.c.verdict)
    )
    # One lookup in an index for each model, where the maximum over all scores would read every one of them.
    newest = select(func.max(scores.c.scored_at)).where(scores.c.model_id == models.c.id).scalar_subquery()
    return CropCounts(
        scored=sum(int(row.crops) for row in found if row.state == "scored"),
        failed=sum(int(row.crops) for row in found if row.state == "failed"),
        failed_by_reason={row.reason: int(row.crops) for row in found if row.state == "failed"},
        final={row.verdict: int(row.crops) for row in found if row.state == "scored"},
        verdicts={(name, verdict): int(count) for name, verdict, count in connection.execute(verdicts) if count},
        last_scored_at=connection.execute(select(func.max(newest)).select_from(models)).scalar(),
    )
