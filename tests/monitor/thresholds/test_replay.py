from __future__ import annotations

import numpy as np

from monitor.store.replay import Span, between, nearest, replay
from monitor.thresholds.replay import replay_and_evaluate
from tests.support.made_up import NOW, MadeUp
from tests.support.made_up_rules import (
    DAY,
)


def test_a_replay_at_the_active_threshold_changes_nothing(made: MadeUp) -> None:
    generator = np.random.default_rng(3)
    for score in [*generator.lognormal(0.5, 1, 60).tolist(), 2.0]:
        made.crop(score)
    with made.database.read() as connection:
        done = replay(connection, made.model.id, 2.0, Span())
    assert (done.crops, done.to_proliv, done.to_ne_proliv) == (61, 0, 0)


def test_a_replay_counts_every_verdict_that_changes(made: MadeUp) -> None:
    crops = {score: made.crop(score, hole=int(score), at=NOW + score * DAY) for score in (1.0, 2.0, 2.5, 3.0, 9.0)}
    for score, label in ((1.0, "ne_proliv"), (2.5, "ne_proliv"), (9.0, "proliv")):
        made.label(crops[score], label)
    with made.database.read() as connection:
        done, evaluation = replay_and_evaluate(connection, made.model.id, 2.6, Span())
        assert done == (5, 2, 0, 2)
        assert (evaluation.tp, evaluation.fp, evaluation.tn, evaluation.fn) == (1, 0, 2, 0)
        done, evaluation = replay_and_evaluate(connection, made.model.id, 0.5, Span(hole=2))
        assert done == (2, 2, 0, 0)
        assert (evaluation.n, evaluation.fp) == (1, 1)
        assert replay(connection, made.model.id, 0.5, Span(since=NOW + 2 * DAY, until=NOW + 3 * DAY)).crops == 2
        assert between(connection, made.model.id, 2.0, 3.0) == 2
        near = nearest(connection, made.model.id, 2.0, 9.5, to=2.9, most=2)
        assert [crop.score for crop in near] == [3.0, 2.5]
