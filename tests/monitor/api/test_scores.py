from __future__ import annotations

import numpy as np
import pytest

from monitor.api import DataError, Scores

ONES = np.ones(3, dtype=np.float32)


def test_the_deciding_score_is_the_named_one() -> None:
    scores = Scores(ONES, {"distance": 2 * ONES}, decision="distance")
    scores.check(3)
    assert scores.deciding.tolist() == [2, 2, 2]
    assert Scores(ONES).deciding is ONES


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (Scores(ONES, decision="distance"), r"the deciding score 'distance' is not among the scores \[\]"),
        (Scores(ONES[:2]), r"the score 'mse' must be float32 of shape \(3,\), got float32 of shape \(2,\)"),
        (Scores(ONES.astype(np.float64)), "got float64"),
        (Scores(ONES, {"distance": ONES[:, None]}), r"the score 'distance' must be .* of shape \(3, 1\)"),
        (Scores(np.array([1, np.nan, 1], dtype=np.float32)), "the score 'mse' holds a value that is not a finite"),
        (Scores(ONES, {"distance": np.array([1, 1, np.inf], dtype=np.float32)}), "the score 'distance' holds"),
        (Scores(-ONES), "the score 'mse' holds a negative value"),
    ],
)
def test_scores_that_break_the_contract_are_refused(scores: Scores, sentence: str) -> None:
    with pytest.raises(DataError, match=f"^.*{sentence}"):
        scores.check(3)
