"""Replays stored decisions with another threshold, and measures it on the labelled ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.formulas.rates import evaluate
from monitor.labels import labels
from monitor.store import replay
from monitor.store.labels import labelled_scores
from monitor.words import Label

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.formulas.rates import Evaluation
    from monitor.store.replay import Replayed, Span


def replay_and_evaluate(
    connection: Connection, model_id: int, threshold: float, span: Span
) -> tuple[Replayed, Evaluation]:
    """Decide again on a model's stored scores, and evaluate that on the labelled crops among them.

    Each labelled content counts once, whatever its weight; contents with contradictory labels do not count.
    """
    done = replay.replay(connection, model_id, threshold, span)
    scores = labelled_scores(connection, model_id)
    meant = [
        (scores[crop.id].score, crop.label is Label.PROLIV)
        for crop in labels.read(connection).agreed()
        if crop.id in scores
        and (span.since is None or scores[crop.id].scored_at >= span.since)
        and (span.until is None or scores[crop.id].scored_at < span.until)
        and (span.hole is None or crop.hole == span.hole)
    ]
    values = np.array([score for score, _ in meant], dtype=np.float64)
    return done, evaluate(values, np.array([is_proliv for _, is_proliv in meant], dtype=np.bool_), threshold)
