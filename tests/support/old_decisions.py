"""Old decisions in a made-up store, and what is left of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from monitor.configuration.settings import Calibration
from monitor.store.database.schema import (
    crops,
    scores,
)
from tests.support.made_up import NOW, MadeUp, midpoint

RULES = midpoint(Calibration(minimum_proliv=1, minimum_normal=1))

DAY = timedelta(days=1)

OLD = NOW - 40 * DAY


def present(store: MadeUp) -> dict[int, bool]:
    """Which crops there are, and whether they have a score."""
    with store.database.read() as connection:
        query = select(crops.c.id, func.count(scores.c.model_id)).outerjoin(scores, scores.c.crop_id == crops.c.id)
        return {key: bool(count) for key, count in connection.execute(query.group_by(crops.c.id))}


def change(store: MadeUp, crop: int, **values: Any) -> None:
    with store.database.write() as connection:
        connection.execute(update(crops).where(crops.c.id == crop).values(**values))
