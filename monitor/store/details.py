"""Everything that is stored about one crop: its row, and the decision of each model with the calibration behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exists, or_, select

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import calibrations, crops, models, retrainings, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class StoredCropRow(NamedTuple):
    """A row of `crops`; see `monitor.store.database.schema`."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    width: int | None
    height: int | None
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    state: str
    reason: str | None
    error: str | None
    verdict: str | None
    decision_score: float | None
    decision_threshold: float | None
    decided_by: str | None
    source: str
    archived_path: str | None
    unusual: bool


class ModelDecisionRow(NamedTuple):
    """A model's decision on a crop, and the calibration that its threshold comes from.

    ``in_shadow``: the model scored it on trial, so that its decision counted for nothing.
    """

    model_id: int
    model: str
    detector: str
    mse: float
    score: float
    threshold: float
    verdict: str
    scored_at: datetime
    latency_seconds: float
    calibration: int
    rule: str
    origin: str
    author: str | None
    reason: str | None
    calibrated_at: datetime
    state: str
    in_shadow: bool


def stored_crop(connection: Connection, crop_id: int) -> StoredCropRow | None:
    """The crop with this id; None if there is none."""
    query = select(*columns_of(crops, StoredCropRow)).where(crops.c.id == crop_id)
    return next(iter(select_rows(connection, StoredCropRow, query)), None)


def decisions_on(connection: Connection, crop_id: int) -> list[ModelDecisionRow]:
    """The decisions of all models on a crop, the first one first."""
    on_trial = exists().where(
        retrainings.c.model_id == models.c.id,
        scores.c.scored_at >= retrainings.c.created_at,
        or_(retrainings.c.ended_at.is_(None), scores.c.scored_at < retrainings.c.ended_at),
    )
    query = (
        select(
            *(models.c.id, models.c.name, models.c.detector, scores.c.mse, scores.c.score, scores.c.threshold),
            *(scores.c.verdict, scores.c.scored_at, scores.c.latency_seconds, calibrations.c.id),
            *(calibrations.c.rule, calibrations.c.origin, calibrations.c.author, calibrations.c.reason),
            *(calibrations.c.created_at, calibrations.c.state, on_trial),
        )
        .join(models, models.c.id == scores.c.model_id)
        .join(calibrations, calibrations.c.id == scores.c.calibration_id)
        .where(scores.c.crop_id == crop_id)
        .order_by(scores.c.scored_at, models.c.id)
    )
    return select_rows(connection, ModelDecisionRow, query)
