from __future__ import annotations

import numpy as np
import pytest

from monitor.api import DataError, ScoreEvidence

SCORES = np.array([1.0, 2.0, 4.0])


def test_weights_have_the_mean_one() -> None:
    evidence = ScoreEvidence(SCORES, SCORES[:2], normal_weights=np.array([1.0, 2.0, 3.0]), crops_per_week=7)
    assert evidence.normal_weights.tolist() == [0.5, 1.0, 1.5]
    assert evidence.proliv_weights.tolist() == [1, 1]
    assert evidence.crops_per_week == 7
    assert ScoreEvidence(SCORES, SCORES[:0]).proliv_weights.shape == (0,)


@pytest.mark.parametrize(
    ("scores", "weights", "sentence"),
    [
        (np.array([1.0, np.nan, 2.0]), None, "the normal scores hold a value that is not a finite number"),
        (SCORES, np.array([1.0, 0.0, 1.0]), "the weights of the normal scores must be finite and positive"),
        (SCORES, np.array([1.0, np.inf, 1.0]), "the weights of the normal scores must be finite and positive"),
        (SCORES, np.ones(2), r"the normal scores and their weights must be one to one, got \(3,\), \(2,\)"),
        (SCORES[None], None, "must be one to one"),
    ],
)
def test_evidence_that_is_no_evidence_is_refused(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None,
    sentence: str,
) -> None:
    with pytest.raises(DataError, match=sentence):
        ScoreEvidence(scores, SCORES, normal_weights=weights)
