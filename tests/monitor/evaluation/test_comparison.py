from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from monitor.evaluation.comparison import Judge, judge_together
from monitor.scoring.ensemble import ActiveModel, Ensemble
from monitor.scoring.vote import ScoreScale
from monitor.store.models import ModelRow

if TYPE_CHECKING:
    from monitor.api import Detector
    from monitor.configuration.settings import Decide

NAN = float("nan")


def ensemble(decide: Decide, *thresholds: float) -> Ensemble:
    """Models with the ids 1, 2, ...; none of them is asked for scores."""
    now = datetime.now(UTC)
    nothing = cast("Detector", None)
    rows = [
        ModelRow(number, f"m{number}", "d", "0" * 64, "m", {}, now, True, None, threshold, number, "fixed")
        for number, threshold in enumerate(thresholds, 1)
    ]
    return Ensemble(
        tuple(
            ActiveModel(row.id, row.name, row.fingerprint, nothing, threshold, row.id, ScoreScale(), row)
            for row, threshold in zip(rows, thresholds, strict=True)
        ),
        decide,
    )


def verdicts(judge: Judge) -> list[bool | None]:
    return [None if np.isnan(score) else bool(score >= judge.threshold) for score in judge.scores]


def test_a_crop_that_a_model_refused_is_not_counted() -> None:
    judge = Judge("d", "m1", np.array([0.1, NAN, 0.9, 0.4]), 0.5)
    figures = judge.evaluate(np.array([True, True, True, False]))
    assert (figures.tp, figures.fn, figures.tn, figures.fp) == (1, 1, 1, 0)


def test_the_scores_of_the_primary_are_the_final_ones() -> None:
    scores = np.array([1.0, 2.0, 3.0])
    final = judge_together(ensemble("primary", 2.0, 0.0), {1: scores, 2: np.zeros(3)})
    assert (final.detector, final.model, final.threshold) == ("decision", "m1+m2", 2.0)
    assert final.scores.tolist() == scores.tolist()


def test_where_the_next_model_decides_scores_are_told_by_their_distance_from_the_threshold() -> None:
    final = judge_together(
        ensemble("primary", 2.0, 10.0),
        {1: np.array([1.0, NAN, NAN, 2.0, NAN]), 2: np.array([0.0, 9.0, 10.0, 0.0, NAN])},
    )
    assert final.threshold == 0
    assert final.scores.tolist() == pytest.approx([-1.0, -1.0, 0.0, 0.0, NAN], nan_ok=True)
    assert verdicts(final) == [False, False, True, True, None]


@pytest.mark.parametrize(("decide", "expected"), [("any", [False, True, True]), ("all", [False, False, True])])
def test_votes_are_those_of_the_models(decide: Decide, expected: list[bool]) -> None:
    scores = {1: np.array([1.0, 3.0, 3.0]), 2: np.array([1.0, 1.0, 3.0])}
    assert verdicts(judge_together(ensemble(decide, 2.0, 2.0), scores)) == expected
