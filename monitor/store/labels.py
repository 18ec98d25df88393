"""What people said of crops, and the labelled crops with their scores; see `monitor.labels` for which label counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from monitor.store.schema import audit_crops, audits, crops, labelled_files, labels, scores

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection


class LabelRow(NamedTuple):
    """A row of `labels` with its crop's content."""

    id: int
    crop_id: int
    sha256: str
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool


class LabelledCropRow(NamedTuple):
    """A scored crop whose content has a label; ``verdict`` is the final one, ``audit_id`` the draw it belongs to."""

    id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    verdict: str
    source: str
    audit_id: int | None


class LabelledScoreRow(NamedTuple):
    """A model's stored decision on a labelled crop."""

    crop_id: int
    score: float
    threshold: float
    verdict: str
    scored_at: datetime


def all_labels(connection: Connection) -> list[LabelRow]:
    """Every label ever given, the oldest first; of one instant, in the order of their storing."""
    query = (
        select(
            *(labels.c.id, labels.c.crop_id, crops.c.sha256, labels.c.label, labels.c.source, labels.c.author),
            *(labels.c.at, labels.c.note, labels.c.settles),
        )
        .join(crops, crops.c.id == labels.c.crop_id)
        .order_by(labels.c.at, labels.c.id)
    )
    return [LabelRow._make(row) for row in connection.execute(query)]


def labelled_crops(connection: Connection) -> list[LabelledCropRow]:
    """Every scored crop whose content has a label, whichever crop of that content was labelled, in the order of ids."""
    labelled = select(crops.c.sha256).join(labels, labels.c.crop_id == crops.c.id)
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.sha256, crops.c.hole, crops.c.camera, crops.c.captured_at),
            *(crops.c.seen_at, crops.c.verdict, crops.c.source, audit_crops.c.audit_id),
        )
        .outerjoin(audit_crops, audit_crops.c.crop_id == crops.c.id)
        .where(crops.c.state == "scored", crops.c.sha256.in_(labelled))
        .order_by(crops.c.id)
    )
    return [LabelledCropRow._make(row) for row in connection.execute(query)]


def labelled_scores(connection: Connection, model_id: int) -> dict[int, LabelledScoreRow]:
    """The model's decisions on the crops whose content has a label, by crop."""
    labelled = select(crops.c.sha256).join(labels, labels.c.crop_id == crops.c.id)
    query = (
        select(scores.c.crop_id, scores.c.score, scores.c.threshold, scores.c.verdict, scores.c.scored_at)
        .join(crops, crops.c.id == scores.c.crop_id)
        .where(scores.c.model_id == model_id, crops.c.sha256.in_(labelled))
    )
    return {row.crop_id: LabelledScoreRow._make(row) for row in connection.execute(query)}


def eligible_crops(connection: Connection) -> dict[int, int]:
    """How many crops each random draw was made from, by the draw's id."""
    return {row.id: row.eligible for row in connection.execute(select(audits.c.id, audits.c.eligible))}


def contents_in_both_folders(connection: Connection) -> set[str]:
    """The sha256 of contents that lie in labelled/proliv and in labelled/ne_proliv at once."""
    query = (
        select(labelled_files.c.sha256)
        .group_by(labelled_files.c.sha256)
        .having(func.count(labelled_files.c.label.distinct()) > 1)
    )
    return set(connection.execute(query).scalars())
