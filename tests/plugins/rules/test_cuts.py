"""The rules that take the best of all cuts, held against trying every cut one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.api import ScoreEvidence
from plugins.rules import F1, Balanced, Cost, Stump

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.api import ThresholdRule

    Weighted = list[tuple[float, float]]
    Loss = Callable[[ScoreEvidence, float], float]

crops = st.lists(
    st.tuples(st.one_of(st.floats(0.01, 100), st.integers(0, 4).map(float)), st.sampled_from([0.25, 1.0, 1.5, 7.0])),
    min_size=1,
    max_size=12,
)


def weigh(normal: Weighted, proliv: Weighted) -> ScoreEvidence:
    return ScoreEvidence(
        normal=np.array([score for score, _ in normal]),
        proliv=np.array([score for score, _ in proliv]),
        normal_weights=np.array([weight for _, weight in normal]),
        proliv_weights=np.array([weight for _, weight in proliv]),
    )


def plain(normal: list[float], proliv: list[float]) -> ScoreEvidence:
    return ScoreEvidence(normal=np.array(normal, dtype=np.float64), proliv=np.array(proliv, dtype=np.float64))


def make(rule: type[ThresholdRule], **settings: object) -> ThresholdRule:
    return rule(rule.Settings.model_validate(settings))


def parts(known: ScoreEvidence, cut: float) -> tuple[float, float, float, float]:
    """The weight of normal below the cut, normal above, proliv below, proliv above."""
    low, high = known.normal < cut, known.normal >= cut
    missed, caught = known.proliv < cut, known.proliv >= cut
    return (
        math.fsum(known.normal_weights[low]),
        math.fsum(known.normal_weights[high]),
        math.fsum(known.proliv_weights[missed]),
        math.fsum(known.proliv_weights[caught]),
    )


def impurity(criterion: str, normal: float, proliv: float) -> float:
    if not (normal and proliv):
        return 0.0
    weight = normal + proliv
    share = proliv / weight
    if criterion == "gini":
        return weight * (1 - share**2 - (1 - share) ** 2)
    return weight * -(share * math.log(share) + (1 - share) * math.log(1 - share))


def cut_impurity(criterion: str, known: ScoreEvidence, cut: float) -> float:
    passed, alarms, missed, caught = parts(known, cut)
    return impurity(criterion, passed, missed) + impurity(criterion, alarms, caught)


def rightly(known: ScoreEvidence, cut: float) -> bool:
    """Whether the share of proliv is larger above the cut than below it."""
    passed, alarms, missed, caught = parts(known, cut)
    return passed + missed > 0 and caught / (caught + alarms) > missed / (missed + passed) + 1e-9


def f1_loss(known: ScoreEvidence, cut: float) -> float:
    _, alarms, missed, caught = parts(known, cut)
    if caught == 0:
        return 0.0
    precision, recall = caught / (caught + alarms), caught / (caught + missed)
    return -2 * precision * recall / (precision + recall)


def balanced_loss(known: ScoreEvidence, cut: float) -> float:
    passed, alarms, missed, caught = parts(known, cut)
    return -(caught / (caught + missed) + passed / (passed + alarms)) / 2


def cost_loss(known: ScoreEvidence, cut: float) -> float:
    """With the settings miss_cost = 30, false_alarm_cost = 2, proliv_share = 0.05."""
    passed, alarms, missed, caught = parts(known, cut)
    return 0.05 * 30 * missed / (caught + missed) + 0.95 * 2 * alarms / (passed + alarms)


def cuts(known: ScoreEvidence) -> list[float]:
    return sorted({*known.normal.tolist(), *known.proliv.tolist()})


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@given(normal=crops, proliv=crops)
def test_no_cut_leaves_purer_sides_than_the_stumps(criterion: str, normal: Weighted, proliv: Weighted) -> None:
    known = weigh(normal, proliv)
    chosen = make(Stump, criterion=criterion).choose(known)
    possible = [cut for cut in cuts(known) if rightly(known, cut)]
    if possible:
        least = min(cut_impurity(criterion, known, cut) for cut in possible)
        assert cut_impurity(criterion, known, chosen) == pytest.approx(least, abs=1e-9)
        assert rightly(known, chosen)
    else:
        assert chosen == cuts(known)[0]


@pytest.mark.parametrize(
    ("rule", "settings", "loss"),
    [
        (Balanced, {}, balanced_loss),
        (F1, {}, f1_loss),
        (Cost, {"miss_cost": 30, "false_alarm_cost": 2, "proliv_share": 0.05}, cost_loss),
    ],
)
@given(normal=crops, proliv=crops)
def test_no_cut_is_better(
    rule: type[ThresholdRule], settings: dict[str, object], loss: Loss, normal: Weighted, proliv: Weighted
) -> None:
    known = weigh(normal, proliv)
    chosen = make(rule, **settings).choose(known)
    assert loss(known, chosen) == pytest.approx(min(loss(known, cut) for cut in cuts(known)), abs=1e-11)


@pytest.mark.parametrize("rule", [Balanced, Stump, F1, Cost])
def test_when_nothing_is_better_than_no_cut_all_alarm(rule: type[ThresholdRule]) -> None:
    assert make(rule).choose(plain([5, 5], [5])) == 5
    assert make(rule).choose(plain([7, 8], [1, 2])) == 1


def test_the_stump_never_calls_the_low_side_proliv() -> None:
    # Turned round, a cut between 2 and 7 would be perfect.
    assert make(Stump).choose(plain([7, 8, 9], [1, 2])) == 1
    # The purest cut, between 2 and 7, is the wrong way round here as well; the best of the others takes its place.
    assert make(Stump).choose(plain([7, 8, 9], [1, 2, 20])) == pytest.approx(math.sqrt(9 * 20))


def test_the_stump_minds_how_many_crops_there_are_and_balanced_does_not() -> None:
    normal, proliv = [1.0, 2, 4, 5], [3.0, 6]
    once, often = plain(normal, proliv), plain(normal, proliv * 50)
    assert make(Balanced).choose(once) == make(Balanced).choose(often)
    assert make(Stump).choose(once) != make(Stump).choose(often)


def test_gini_and_entropy_may_differ() -> None:
    known = plain([2, 6], [1, 3, 4, 5, 7])
    assert make(Stump, criterion="gini").choose(known) == pytest.approx(math.sqrt(2 * 3))
    assert make(Stump, criterion="entropy").choose(known) == pytest.approx(math.sqrt(6 * 7))


def test_with_equal_stakes_cost_is_balanced() -> None:
    known = weigh([(1, 1), (2, 3), (4, 0.5), (9, 1)], [(3, 1), (5, 2), (16, 1)])
    equal = make(Cost, miss_cost=9, false_alarm_cost=1, proliv_share=0.1)
    assert equal.choose(known) == pytest.approx(make(Balanced).choose(known))


def test_a_dearer_miss_never_raises_the_threshold() -> None:
    random = np.random.default_rng(3)
    known = ScoreEvidence(normal=random.lognormal(0, 1, 300), proliv=random.lognormal(1.5, 1, 60))
    chosen = [make(Cost, miss_cost=cost).choose(known) for cost in (1, 10, 100, 1000, 10_000)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] > chosen[-1]


def test_the_cheapest_threshold_stays_among_the_scores_where_never_to_alarm_would_be_cheaper() -> None:
    known = plain([1, 2, 5, 100], [3, 4])
    assert make(Cost, miss_cost=0.001).choose(known) == pytest.approx(math.sqrt(5 * 100))


def test_sums_of_odd_weights_tie_as_they_should() -> None:
    # Both cuts catch or pass a tenth more, in sums that rounding makes unequal; the wider interval wins.
    weights = [0.1, 0.2, 0.3, 0.4]
    known = ScoreEvidence(
        normal=np.array([1.0, 2.0, 3.0, 5.0]), normal_weights=np.array(weights),
        proliv=np.array([4.0, 9.0, 10.0, 20.0]), proliv_weights=np.array([0.4, 0.3, 0.2, 0.1]),
    )  # fmt: skip
    assert balanced_loss(known, 3.5) == pytest.approx(balanced_loss(known, 6))
    assert make(Balanced).choose(known) == pytest.approx(math.sqrt(5 * 9))
