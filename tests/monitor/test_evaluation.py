import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import DataError
from monitor.evaluation import evaluate, interval, roc_auc


def test_a_score_at_the_threshold_is_proliv() -> None:
    result = evaluate(np.array([1.0, 2.0, 3.0, 2.0, 5.0]), [False, False, False, True, True], 2.0)
    assert (result.n, result.tp, result.fp, result.tn, result.fn) == (5, 2, 2, 1, 0)
    assert result.tpr == 1
    assert result.tnr == pytest.approx(1 / 3)
    assert result.balanced_accuracy == pytest.approx(2 / 3)
    assert result.roc_auc == pytest.approx(4.5 / 6)


def test_the_threshold_is_compared_in_double_precision() -> None:
    threshold = float(np.float32(0.1)) + 1e-12
    assert evaluate(np.array([0.1], dtype=np.float32), [True], threshold).fn == 1


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4439, 0.9748),
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (1, 1, 0.025, 1.0),
    ],
)
def test_intervals_agree_with_known_values(successes: int, trials: int, low: float, high: float) -> None:
    assert interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(trials=st.integers(1, 10_000), share=st.floats(0, 1))
def test_intervals_hold_the_rate_and_mirror(trials: int, share: float) -> None:
    successes = round(share * trials)
    low, high = interval(successes, trials)
    assert low is not None
    assert high is not None
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored = interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


whole = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=20)


@given(normal=whole, proliv=whole)
def test_roc_auc_counts_pairs_and_half_of_the_ties(normal: list[float], proliv: list[float]) -> None:
    won = sum((high > low) + 0.5 * (high == low) for high in proliv for low in normal)
    assert roc_auc(np.array(normal), np.array(proliv)) == pytest.approx(won / (len(normal) * len(proliv)))


def test_figures_of_a_class_that_is_not_there_are_none() -> None:
    normal_only = evaluate(np.array([1.0, 3.0]), [False, False], 2.0)
    assert (normal_only.tnr, normal_only.tpr, normal_only.tpr_low, normal_only.tpr_high) == (0.5, None, None, None)
    assert (normal_only.balanced_accuracy, normal_only.roc_auc) == (None, None)
    proliv_only = evaluate(np.array([1.0, 3.0]), np.array([True, True]), 2.0)
    assert (proliv_only.tpr, proliv_only.tnr, proliv_only.tnr_low, proliv_only.tnr_high) == (0.5, None, None, None)
    nothing = evaluate(np.array([]), [], 2.0)
    assert (nothing.n, nothing.tpr, nothing.tnr, nothing.roc_auc) == (0, None, None, None)


def test_the_figures_are_plain_numbers_for_json() -> None:
    result = evaluate(np.array([1.0, 3.0], dtype=np.float32), np.array([False, True]), 2.0)
    assert json.loads(json.dumps(result.as_dict()))["tp"] == 1


@pytest.mark.parametrize(
    ("scores", "labels", "threshold"),
    [([1.0], [True, False], 1.0), ([[1.0]], [[True]], 1.0), ([math.nan], [True], 1.0), ([1.0], [True], math.inf)],
)
def test_what_does_not_fit_together_is_refused(scores: list[float], labels: list[bool], threshold: float) -> None:
    with pytest.raises(DataError):
        evaluate(np.array(scores), labels, threshold)
