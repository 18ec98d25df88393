from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, ttest_ind

from monitor.quality.drift.statistics import hourly_test, median_shift, on_even_scale, stability_index
from monitor.store.summaries import Summary
from tests.support.made_up_hours import START, summary


def test_p_is_that_of_a_two_sample_t_test_with_one_recent_value() -> None:
    # With one value in the second sample, the pooled variance is the first sample's alone.
    random = np.random.default_rng(1)
    baseline, recent = random.standard_normal(48), random.standard_normal(1)
    t, p = hourly_test(baseline, recent)
    expected = ttest_ind(recent, baseline)
    assert [float(t), float(p)] == pytest.approx([float(expected.statistic), float(expected.pvalue)])


@pytest.mark.parametrize("recent_hours", [1, 6])
def test_false_alarms_are_as_many_as_the_level_says(recent_hours: int) -> None:
    random = np.random.default_rng(2)
    tests, level = 100_000, 2e-3
    _, p = hourly_test(random.standard_normal((tests, 48)), random.standard_normal((tests, recent_hours)))
    low, high = binom.interval(0.999, tests, level)
    assert low <= (p < level).sum() <= high


def test_crops_that_resemble_each_other_within_the_hour_make_no_false_alarms() -> None:
    # Every crop of an hour shares its light: a first-order autoregression of correlation 0.9 on top of skewed noise.
    random = np.random.default_rng(3)
    tests, hours, crops, level = 4000, 25, 40, 0.01
    light = np.empty((tests, hours, crops), dtype=np.float32)
    light[..., 0] = random.standard_normal((tests, hours), dtype=np.float32)
    noise = random.standard_normal((tests, hours, crops), dtype=np.float32) * np.sqrt(1 - 0.9**2).astype(np.float32)
    for crop in range(1, crops):
        light[..., crop] = np.float32(0.9) * light[..., crop - 1] + noise[..., crop]
    scores = light + random.gamma(2, 0.3, light.shape)
    medians = np.median(scores, axis=-1).astype(np.float64)
    low, high = binom.interval(0.999, tests, level)
    _, p = hourly_test(medians[:, :-1], medians[:, -1:])
    assert low <= (p < level).sum() <= high
    # A test that took the crops for independent would cry wolf all day.
    naive = ttest_ind(scores[:500, -1], scores[:500, :-1].reshape(500, -1), axis=1).pvalue
    assert (naive < level).mean() > 0.3


def test_skewed_scores_make_no_more_false_alarms_than_even_ones() -> None:
    random = np.random.default_rng(18)
    tests, level = 40_000, 1e-3
    medians = np.exp(0.5 * random.standard_normal((tests, 49)))
    low, high = binom.interval(0.999, tests, level)
    even = [on_even_scale(row[:-1], row[-1:]) for row in medians]
    _, p = hourly_test(np.array([one for one, _ in even]), np.array([one for _, one in even]))
    assert low <= (p < level).sum() <= high
    _, naive = hourly_test(medians[:, :-1], medians[:, -1:])
    assert (naive < level).sum() > 5 * high


def test_scores_that_are_not_all_positive_are_left_as_they_are() -> None:
    baseline, recent = np.array([1.0, 2.0]), np.array([0.0])
    assert on_even_scale(baseline, recent) == (baseline, recent)


def test_the_stability_index_of_the_same_crops_is_nothing_and_of_moved_ones_large() -> None:
    hours = [summary(hour, 10.0, crops=1000) for hour in range(48)]
    assert stability_index(hours, [summary(50, 10.0, crops=1000)]) == pytest.approx(0, abs=1e-4)
    near = stability_index(hours, [summary(50, 10.1, crops=1000)])
    far = stability_index(hours, [summary(50, 11.0, crops=1000)])
    assert 0 < near < 0.1 < 0.5 < far
    # By the formula itself, from the normal distribution that both are: bins at the deciles of the first.
    edges = norm.ppf(np.arange(1, 10) / 10)
    share = np.diff(norm.cdf(edges - 1), prepend=0, append=1)
    assert far == pytest.approx(((share - 0.1) * np.log(share / 0.1)).sum(), rel=0.1)


@given(moved=st.floats(-50, 50), crops=st.integers(1, 10_000))
def test_the_stability_index_is_a_finite_divergence(moved: float, crops: int) -> None:
    index = stability_index([summary(0, 10.0, crops=50)], [summary(1, 10 + moved, crops=crops)])
    assert np.isfinite(index)
    assert index >= -1e-12


def test_few_crops_that_did_not_drift_have_a_small_index() -> None:
    random = np.random.default_rng(17)
    hours = [
        Summary(START, "*", -1, 200, 0, list(np.quantile(random.standard_normal(200), np.linspace(0, 1, 21))))
        for _ in range(48)
    ]
    found = [
        stability_index(
            hours,
            [Summary(START, "*", -1, 50, 0, list(np.quantile(random.standard_normal(50), np.linspace(0, 1, 21))))],
        )
        for _ in range(200)
    ]
    assert np.mean(found) < 9 / 50


def test_hours_with_more_crops_weigh_more_in_the_shift() -> None:
    baseline = [summary(0, 0.0, crops=300), summary(1, 4.0, crops=100)]
    assert median_shift(baseline, [summary(2, 2.0)]) == pytest.approx(1.0, abs=0.01)
