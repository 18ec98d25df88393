"""The rules that bound false alarms on crops that are still to come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import EvidenceMissingError, ScoreEvidence
from plugins.rules import Conformal, FalseAlarmsPerWeek
from plugins.rules.weighing import quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from monitor.api import ThresholdRule

    Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

SIMULATIONS = 2000
FRESH = 20
ALPHA = 0.05

CONTINUOUS: dict[str, Draw] = {
    "normal": lambda random, count: random.normal(size=count),
    "log-normal": lambda random, count: random.lognormal(0, 2, count),
    "cauchy": lambda random, count: random.standard_cauchy(count),
}
TIED: dict[str, Draw] = {
    "all equal": lambda _, count: np.full(count, 0.3),
    "a coin": lambda random, count: random.integers(0, 2, count).astype(np.float64),
    "one in fifty": lambda random, count: (random.random(count) < 0.02).astype(np.float64),
    "a twentieth": lambda random, count: (random.random(count) < ALPHA).astype(np.float64),
    "rounded": lambda random, count: np.round(random.exponential(1, count)),
    "half tied": lambda random, count: np.maximum(random.normal(size=count), 0),
}


def make(rule: type[ThresholdRule], **settings: object) -> ThresholdRule:
    return rule(rule.Settings.model_validate(settings))


def known(normal: NDArray[np.float64] | list[float], weights: NDArray[np.float64] | None = None) -> ScoreEvidence:
    return ScoreEvidence(
        normal=np.asarray(normal, dtype=np.float64), proliv=np.array([]), normal_weights=weights, crops_per_week=None
    )


def simulate(draw: Draw, seed: int) -> tuple[float, float]:
    """The mean share of fresh crops that alarm, and the mean of what it should be where no two scores are equal."""
    random = np.random.default_rng(seed)
    rule = make(Conformal, alpha=ALPHA)
    shares, expected = [], []
    for count in random.integers(19, 200, SIMULATIONS).tolist():
        threshold = rule.choose(known(draw(random, count)))
        shares.append(float(np.mean(draw(random, FRESH) >= threshold)))
        # Of the count + 1 ranks of a fresh crop so many lie above k, all equally likely.
        expected.append(math.floor((count + 1) * ALPHA + 1e-9) / (count + 1))
    return float(np.mean(shares)), float(np.mean(expected))


# The share of one simulation lies in 0-1 and its mean is at most alpha < 1/2, so its variance is at most
# alpha (1 - alpha), and that of the mean of independent simulations so much smaller.
STANDARD_ERROR = math.sqrt(ALPHA * (1 - ALPHA) / SIMULATIONS)


@pytest.mark.parametrize("name", [*CONTINUOUS, *TIED])
def test_the_promised_bound_holds_whatever_the_distribution(name: str) -> None:
    share, _ = simulate((CONTINUOUS | TIED)[name], seed=20)
    assert share <= ALPHA + 4 * STANDARD_ERROR


@pytest.mark.parametrize("name", CONTINUOUS)
def test_where_no_scores_are_equal_no_more_is_given_away_than_the_ranks_need(name: str) -> None:
    share, expected = simulate(CONTINUOUS[name], seed=21)
    # Given the crops, the chance of an alarm is Beta distributed with the variance m (1 - m) / (n + 2), and the share
    # of FRESH crops scatters about it.
    error = math.sqrt(ALPHA * (1 - ALPHA) * (1 / 21 + 1 / FRESH) / SIMULATIONS)
    assert abs(share - expected) <= 4 * error
    assert expected > 0.7 * ALPHA


def test_the_bound_holds_for_crops_that_were_drawn_unequally_and_weighed_accordingly() -> None:
    # Half of the evidence is from a stratum of high scores that makes up a tenth of the line.
    random = np.random.default_rng(22)
    rule = make(Conformal, alpha=ALPHA)
    weighed, unweighed = [], []
    for _ in range(SIMULATIONS):
        high = random.random(150) < 0.5
        scores = random.normal(np.where(high, 3.0, 0.0))
        line = random.normal(np.where(random.random(FRESH) < 0.1, 3.0, 0.0))
        weighed.append(np.mean(line >= rule.choose(known(scores, np.where(high, 0.1 / 0.5, 0.9 / 0.5)))))
        unweighed.append(np.mean(line >= rule.choose(known(scores))))
    assert 0.5 * ALPHA < np.mean(weighed) <= ALPHA + 4 * STANDARD_ERROR
    # Without the weights the threshold is far too high, and real alarms would be lost.
    assert np.mean(unweighed) < 0.5 * np.mean(weighed)


@pytest.mark.parametrize(
    ("alpha", "needed"),
    [(0.01, 99), (0.05, 19), (0.07, 14), (0.1, 9), (0.001, 999), (0.0001, 9999), (0.3, 3), (0.5, 1)],
)
def test_just_enough_crops_are_enough(alpha: float, needed: int) -> None:
    assert needed == math.ceil(1 / alpha - 1e-9) - 1
    scores = np.arange(needed, dtype=np.float64)
    rule = make(Conformal, alpha=alpha)
    assert rule.choose(known(scores)) == math.nextafter(needed - 1, math.inf)
    # Equal weights are equal weights, however they are written.
    assert rule.choose(known(scores, np.full(needed, 0.1))) == math.nextafter(needed - 1, math.inf)
    with pytest.raises(EvidenceMissingError) as caught:
        rule.choose(known([*scores[:-1]] if needed > 1 else []))
    if needed > 1:
        assert f"at least {needed} labelled crops of ne_proliv; there are {needed - 1}:" in str(caught.value)


def test_crops_of_different_weight_count_as_few() -> None:
    scores, weights = np.arange(200, dtype=np.float64), np.ones(200)
    weights[7] = 20
    with pytest.raises(EvidenceMissingError) as caught:
        make(Conformal, alpha=0.01).choose(known(scores, weights))
    assert "there are 200, of such different weights that they stand for 10: add crops" in str(caught.value)


def test_one_that_scores_as_high_as_the_last_that_may_pass_passes() -> None:
    threshold = make(Conformal, alpha=0.25).choose(known([1, 2, 2, 2, 2, 2, 9]))
    assert threshold == math.nextafter(2, 3)


class TestFalseAlarmsPerWeek:
    def test_what_the_crops_show_is_taken_from_them(self) -> None:
        scores = known(np.random.default_rng(1).lognormal(size=999))
        for alpha in (0.5, 0.07, 0.01, 0.001):
            chosen = make(FalseAlarmsPerWeek, false_alarms=alpha * 5000, crops_per_week=5000).choose(scores)
            assert chosen == make(Conformal, alpha=alpha).choose(scores)

    def test_the_worked_example_of_the_docstring_holds(self) -> None:
        scores = [*np.linspace(1, 10, 951), *(10 + 2 * np.linspace(0.5, 1.5, 50))]
        chosen = make(FalseAlarmsPerWeek, crops_per_week=2000).choose(known(scores))
        assert chosen == pytest.approx(19.21, abs=0.01)

    @pytest.mark.parametrize("rate", [1e-4, 1e-5, 1e-6])
    def test_the_tail_of_exponential_scores_is_found(self, rate: float) -> None:
        scores = known(np.random.default_rng(2).exponential(1, 2000))
        chosen = make(FalseAlarmsPerWeek, crops_per_week=1 / rate).choose(scores)
        # The mean of 100 excesses has a standard error of a tenth, which the logarithm multiplies; the quantile's is
        # sqrt(0.05 * 0.95 / 2000) / 0.05.
        error = math.hypot(0.1 * math.log(0.05 / rate), 0.1)
        assert abs(chosen - -math.log(rate)) <= 4 * error
        assert chosen > scores.normal.max() - 1

    def test_rarer_alarms_need_a_higher_threshold(self) -> None:
        scores = known(np.random.default_rng(3).exponential(1, 1000))
        weeks = (100, 900, 1001, 2000, 1e4, 1e6, 1e9)
        chosen = [make(FalseAlarmsPerWeek, crops_per_week=week).choose(scores) for week in weeks]
        assert chosen[0] < chosen[1] <= chosen[2] < chosen[3] < chosen[4] < chosen[5] < chosen[6]

    def test_the_tail_follows_the_unit(self) -> None:
        values = np.random.default_rng(4).exponential(1, 1000)
        rule = make(FalseAlarmsPerWeek, crops_per_week=1e5)
        assert rule.choose(known(values * 1024)) == pytest.approx(rule.choose(known(values)) * 1024)

    def test_the_tail_follows_the_weights(self) -> None:
        # Half of the evidence is from a stratum with exponential scores that makes up a hundredth of the line.
        values = np.concatenate([np.zeros(1000), np.random.default_rng(4).exponential(1, 1000)])
        weights = np.where(values > 0, 0.01 / 0.5, 0.99 / 0.5)
        rule = make(FalseAlarmsPerWeek, crops_per_week=1e5)
        error = math.log(1000) / math.sqrt(1000)
        assert abs(rule.choose(known(values, weights)) - math.log(1000)) < 4 * error
        assert rule.choose(known(values)) > math.log(1000) + 8 * error

    def test_the_mean_excess_is_weighted(self) -> None:
        scores, counts = [0.0, 1.0, 3.0], [4000, 40, 40]
        weighed = known(np.repeat(scores, counts), np.repeat([1.0, 1.0, 3.0], counts))
        # 160 of 4160 lie above 0, on the average by (40 * 1 + 120 * 3) / 160 = 2.5.
        chosen = make(FalseAlarmsPerWeek, crops_per_week=1e5).choose(weighed)
        assert chosen == pytest.approx(2.5 * math.log(160 / 4160 / 1e-5))

    def test_where_all_crops_may_alarm_they_do(self) -> None:
        assert make(FalseAlarmsPerWeek, false_alarms=10, crops_per_week=10).choose(known([3, 2, 5])) == 2

    def test_the_number_of_crops_is_the_settings_or_the_stored_one(self) -> None:
        scores = known(np.arange(1000.0))
        scores.crops_per_week = 100
        assert make(FalseAlarmsPerWeek).choose(scores) == make(Conformal, alpha=0.01).choose(scores)
        chosen = make(FalseAlarmsPerWeek, crops_per_week=10).choose(scores)
        assert chosen == make(Conformal, alpha=0.1).choose(scores)
        scores.crops_per_week = None
        with pytest.raises(EvidenceMissingError, match=r"how many crops the line takes in a week.*crops_per_week="):
            make(FalseAlarmsPerWeek).choose(scores)

    def test_a_tail_of_too_few_scores_is_no_tail(self) -> None:
        rule = make(FalseAlarmsPerWeek, crops_per_week=10_000)
        with pytest.raises(EvidenceMissingError) as caught:
            rule.choose(known(np.arange(240.0)))
        assert "one false alarm in 10000 crops, which 240 labelled crops of ne_proliv do not show" in str(caught.value)
        assert "at least 20 scores above the 0.95 quantile, and there are 12: add" in str(caught.value)
        assert "(about 400 do)" in str(caught.value)
        assert rule.choose(known(np.arange(400.0))) > 400
        with pytest.raises(EvidenceMissingError, match="and there are 0"):
            rule.choose(known(np.full(1000, 2.0)))

    def test_it_never_lies_in_what_is_not_the_tail(self) -> None:
        # One crop outweighs all others, so that even a frequent alarm is more than they can show.
        values, weights = np.arange(1000.0), np.ones(1000)
        weights[0] = 5000
        chosen = make(FalseAlarmsPerWeek, crops_per_week=3).choose(known(values, weights))
        assert chosen >= quantile(values, weights, 0.95) * (1 - 1e-12)
        assert weights[values >= chosen].sum() / weights.sum() < 1 / 3
