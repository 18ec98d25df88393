"""Decides again on stored scores with another threshold; no image is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, func, select

from monitor.store.conditions import in_operation
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import crops, scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class Span(NamedTuple):
    """Selects stored decisions: made in [since, until), on crops of ``hole``; None selects all.

    ``in_operation``: not on crops that were scored by hand or that came with a label.
    """

    since: datetime | None = None
    until: datetime | None = None
    hole: int | None = None
    in_operation: bool = False


class Replayed(NamedTuple):
    """How a threshold decides on stored scores, compared with the verdicts that were given.

    ``crops``: all of them; ``proliv``: proliv by the new threshold; ``to_proliv``, ``to_ne_proliv``: changed verdicts.
    """

    crops: int
    proliv: int
    to_proliv: int
    to_ne_proliv: int


class NearCrop(NamedTuple):
    """A crop with a score near a threshold."""

    id: int
    path: str
    hole: int | None
    score: float
    verdict: str


def replay(connection: Connection, model_id: int, threshold: float, span: Span) -> Replayed:
    """Decide again on the model's stored scores: proliv if score >= threshold."""
    above = scores.c.score >= threshold
    was_proliv = scores.c.verdict == "proliv"
    query = select(
        func.count(),
        func.sum(case((above, 1), else_=0)),
        func.sum(case((above & ~was_proliv, 1), else_=0)),
        func.sum(case((~above & was_proliv, 1), else_=0)),
    ).select_from(scores)
    if span.hole is not None or span.in_operation:
        query = query.join(crops, crops.c.id == scores.c.crop_id)
    row = connection.execute(query.where(*_conditions(model_id, span))).one()
    return Replayed(*(int(value or 0) for value in row))


def between(connection: Connection, model_id: int, low: float, high: float) -> int:
    """How many of the model's stored scores lie in [low, high): the thresholds low and high decide them differently."""
    query = select(func.count()).where(scores.c.model_id == model_id, scores.c.score >= low, scores.c.score < high)
    return connection.execute(query).scalar_one()


def nearest(
    connection: Connection, model_id: int, low: float, high: float, *, to: float, most: int
) -> Sequence[NearCrop]:
    """The ``most`` crops with a score of the model in [low, high) that is nearest to ``to``, nearest first."""
    query = (
        select(crops.c.id, crops.c.path, crops.c.hole, scores.c.score, scores.c.verdict)
        .join(crops, crops.c.id == scores.c.crop_id)
        .where(scores.c.model_id == model_id, scores.c.score >= low, scores.c.score < high)
        .order_by(func.abs(scores.c.score - to), crops.c.id)
        .limit(most)
    )
    return select_rows(connection, NearCrop, query)


def _conditions(model_id: int, span: Span) -> list[ColumnElement[bool]]:
    conditions = [scores.c.model_id == model_id]
    if span.since is not None:
        conditions.append(scores.c.scored_at >= span.since)
    if span.until is not None:
        conditions.append(scores.c.scored_at < span.until)
    if span.hole is not None:
        conditions.append(crops.c.hole == span.hole)
    if span.in_operation:
        conditions.append(in_operation())
    return conditions
