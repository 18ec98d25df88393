"""What the store remembers of a model's decisions, for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from monitor.store.schema import scores

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class RememberedScore(NamedTuple):
    """One stored decision: the score that was held against the threshold, and the verdict."""

    score: float
    verdict: str


def newest_scores(connection: Connection, model_id: int, most: int) -> list[RememberedScore]:
    """The model's ``most`` newest decisions, the newest first."""
    query = (
        select(scores.c.score, scores.c.verdict)
        .where(scores.c.model_id == model_id)
        .order_by(scores.c.scored_at.desc())
        .limit(most)
    )
    return [RememberedScore._make(row) for row in connection.execute(query)]
