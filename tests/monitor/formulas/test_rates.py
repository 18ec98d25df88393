import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import DataError
from monitor.formulas.rates import evaluate, interval, roc_auc, trials_without_a_miss, weighted_rate


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


@pytest.mark.parametrize(("lower", "trials"), [(0.98, 183), (0.95, 72), (0.99, 368), (0.5, 6), (0.01, 1)])
def test_so_many_trials_without_a_miss_lift_the_bound(lower: float, trials: int) -> None:
    assert trials_without_a_miss(lower) == trials


@given(lower=st.floats(0.001, 0.9999))
def test_one_trial_fewer_would_not_do(lower: float) -> None:
    trials = trials_without_a_miss(lower)
    enough, _ = interval(trials, trials)
    assert enough is not None
    assert enough >= lower - 1e-12
    if trials > 1:
        too_few, _ = interval(trials - 1, trials - 1)
        assert too_few is not None
        assert too_few < lower + 1e-12


@given(trials=st.integers(1, 500), share=st.floats(0, 1), weight=st.floats(1e-3, 1e6))
def test_equal_weights_give_exactly_the_unweighted_interval(trials: int, share: float, weight: float) -> None:
    successes = round(share * trials)
    result = weighted_rate([index < successes for index in range(trials)], [weight] * trials)
    assert result is not None
    assert (result.low, result.high) == interval(successes, trials)
    assert (result.rate, result.crops, result.effective) == (successes / trials, trials, trials)


def test_unequal_weights_tell_less_than_their_number() -> None:
    # n_eff = (8 + 4 * 3)^2 / (8 + 4 * 9) = 400 / 44, rate = 14 / 20.
    result = weighted_rate([True] * 8 + [True, True, False, False], [1.0] * 8 + [3.0] * 4)
    assert result is not None
    assert result.rate == pytest.approx(0.7)
    assert result.crops == 12
    assert result.effective == pytest.approx(400 / 44)
    narrow = interval(7, 10)
    assert narrow[0] is not None
    assert narrow[1] is not None
    assert result.low < narrow[0] < result.rate < narrow[1] < result.high


@given(
    crops=st.lists(st.tuples(st.booleans(), st.floats(1, 1000)), min_size=1, max_size=50),
)
def test_weighted_intervals_hold_the_rate_and_mirror(crops: list[tuple[bool, float]]) -> None:
    weights = [weight for _, weight in crops]
    result = weighted_rate([hit for hit, _ in crops], weights)
    mirrored = weighted_rate([not hit for hit, _ in crops], weights)
    assert result is not None
    assert mirrored is not None
    assert 0 <= result.low <= result.rate <= result.high <= 1
    assert 1 <= result.effective <= len(crops) * (1 + 1e-12)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - result.high, 1 - result.low), abs=1e-7)


def test_an_interval_of_random_draws_holds_the_truth_as_often_as_it_says() -> None:
    # Half of the crops stand for one, the others for five; their rates are 0.9 and 0.7.
    random = np.random.default_rng(3)
    truth = (0.9 * 60 + 0.7 * 60 * 5) / (60 + 60 * 5)
    weights = [1.0] * 60 + [5.0] * 60
    held = 0
    for _ in range(400):
        result = weighted_rate([*(random.random(60) < 0.9), *(random.random(60) < 0.7)], weights)
        assert result is not None
        held += result.low <= truth <= result.high
    assert held / 400 >= 0.95


def test_a_weighted_rate_of_nothing_is_none_and_of_wrong_weights_is_refused() -> None:
    assert weighted_rate([], []) is None
    for hits, weights in (([True], []), ([True], [0.0]), ([True], [math.inf]), ([True], [math.nan])):
        with pytest.raises(DataError):
            weighted_rate(hits, weights)


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
