"""A made-up line of crops, stored, and its quality in operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert

from monitor.quality.operation import (
    Quality,
    Rates,
    Window,
    last_days,
    quality_in_operation,
)
from monitor.store import models
from monitor.store.database.schema import audit_crops, audits, crops, labels, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.database.engine import Database


NOW = datetime(2023, 3, 10, 12, tzinfo=UTC)

WEEK = last_days(7, NOW)


@dataclass(frozen=True)
class Made:
    """A crop of a made-up line: what it is, what was decided and what people did with it."""

    proliv: bool
    alarm: bool
    labelled: bool = True
    drawn: bool = False
    own: bool | None = None  # the model's verdict, where it is not the final one
    scored: bool = True  # by the model
    hole: int | None = 1
    camera: str | None = "1"
    captured_at: datetime | None = NOW - timedelta(days=1)
    seen_at: datetime = NOW - timedelta(days=1)
    source: str = "inbox"
    content: str | None = None
    unusual: bool = False


MISSED, CAUGHT = Made(proliv=True, alarm=False), Made(proliv=True, alarm=True)

FALSE_ALARM, PASSED = Made(proliv=False, alarm=True), Made(proliv=False, alarm=False)


def verdict(proliv: bool) -> str:
    return "proliv" if proliv else "ne_proliv"


def fill(database: Database, made: Sequence[Made], *, eligible: int | None = None) -> None:
    """Store a line; its drawn crops were drawn from ``eligible`` ones."""
    with database.write() as connection:
        connection.execute(
            insert(crops),
            [
                {
                    "id": index,
                    "path": f"/inbox/{index}.jpg",
                    "sha256": one.content or f"{index:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": one.hole,
                    "camera": one.camera,
                    "source": one.source,
                    "captured_at": one.captured_at,
                    "seen_at": one.seen_at,
                    "state": "scored",
                    "verdict": verdict(one.alarm),
                    "unusual": one.unusual,
                    "decision_score": 1.0,
                    "decision_threshold": 1.0,
                }
                for index, one in enumerate(made, 1)
            ],
        )
        connection.execute(
            insert(scores),
            [
                {
                    "crop_id": index,
                    "model_id": 1,
                    "calibration_id": 1,
                    "mse": 0.1,
                    "score": 1.0,
                    "threshold": 1.0,
                    "verdict": verdict(one.alarm if one.own is None else one.own),
                    "scored_at": one.seen_at,
                    "latency_seconds": 0.1,
                }
                for index, one in enumerate(made, 1)
                if one.scored
            ],
        )
        given = [
            {"crop_id": index, "label": verdict(one.proliv), "source": "command", "author": "Ivanov", "at": NOW}
            for index, one in enumerate(made, 1)
            if one.labelled
        ]
        if given:
            connection.execute(insert(labels), given)
        if eligible is not None:
            draw = {"id": 1, "drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(made), "eligible": eligible}
            connection.execute(insert(audits).values(**draw))
            drawn = [{"audit_id": 1, "crop_id": index} for index, one in enumerate(made, 1) if one.drawn]
            connection.execute(insert(audit_crops), drawn)


def quality(database: Database, window: Window = WEEK, by: str | None = None) -> Quality:
    with database.read() as connection:
        found = quality_in_operation(
            connection,
            [window],
            models.active_models(connection),
            event_gap_seconds=600,
            by="hole" if by == "hole" else "camera" if by == "camera" else None,
        )
    (one,) = found
    return one


def rates(found: Quality, detector: str = "decision") -> Rates:
    (one,) = (one for one in found.rates if one.detector == detector and one.group == "all")
    return one
