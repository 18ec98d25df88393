"""What the store remembers of a model's decisions and of what its threshold was chosen from, to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from monitor.store.database.schema import reference_scores, scores

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class RememberedScore(NamedTuple):
    """One stored decision: the score that was held against the threshold, and the verdict."""

    score: float
    verdict: str


class LabelledScore(NamedTuple):
    """A model's deciding score of a crop whose label is known."""

    label: str
    score: float


def newest_scores(connection: Connection, model_id: int, most: int) -> list[RememberedScore]:
    """The model's ``most`` newest decisions, the newest first."""
    query = (
        select(scores.c.score, scores.c.verdict)
        .where(scores.c.model_id == model_id)
        .order_by(scores.c.scored_at.desc())
        .limit(most)
    )
    return [RememberedScore._make(row) for row in connection.execute(query)]


def labelled_references(connection: Connection) -> dict[int, list[LabelledScore]]:
    """The scores that `monitor calibrate --data` left, by the model's id, in the order of the crops' digests."""
    query = select(reference_scores.c.model_id, reference_scores.c.label, reference_scores.c.score).order_by(
        reference_scores.c.model_id, reference_scores.c.sha256
    )
    found: dict[int, list[LabelledScore]] = {}
    for model_id, label, score in connection.execute(query):
        found.setdefault(model_id, []).append(LabelledScore(label, score))
    return found
