import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from monitor.api import EvidenceMissingError, ScoreEvidence, ThresholdRule
from monitor.registry import Registry
from plugins.rules import (
    F1,
    Balanced,
    Conformal,
    Cost,
    FalseAlarmsPerWeek,
    Fixed,
    FractionOfMax,
    MeanProliv,
    NormalQuantile,
    QuantileMidpoint,
    QuantileOfFullTpr,
    Stump,
    TnrAtLeast,
    TprAtLeast,
)
from plugins.rules.weighing import effective_count, quantile

positive = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12)
any_sign = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=12)
tied = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=12)


def scores(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def evidence(
    normal: list[float],
    proliv: list[float],
    normal_weights: list[float] | None = None,
    proliv_weights: list[float] | None = None,
    crops_per_week: float | None = None,
) -> ScoreEvidence:
    return ScoreEvidence(
        normal=scores(*normal),
        proliv=scores(*proliv),
        normal_weights=None if normal_weights is None else scores(*normal_weights),
        proliv_weights=None if proliv_weights is None else scores(*proliv_weights),
        crops_per_week=crops_per_week,
    )


def make(rule: type[ThresholdRule], **settings: object) -> ThresholdRule:
    return rule(rule.Settings.model_validate(settings))


def merit(known: ScoreEvidence, threshold: float) -> float:
    return float(np.mean(known.proliv >= threshold) + np.mean(known.normal < threshold))


@pytest.mark.parametrize(
    ("rule", "settings", "normal", "proliv", "threshold"),
    [
        (Balanced, {}, [1, 2, 4], [3, 9, 9], 6.0),
        (QuantileMidpoint, {"normal_quantile": 1, "proliv_quantile": 0}, [1, 2, 4], [9, 25], 6.0),
        (MeanProliv, {}, [], [1, 2, 6], 3.0),
        (FractionOfMax, {"k": 0.5}, [], [1, 2, 6], 3.0),
        (FractionOfMax, {}, [], [100], 56.0),
        (Fixed, {"threshold": 0.0027}, [], [], 0.0027),
        (Stump, {}, [1, 2, 3, 9], [4, 16], math.sqrt(12)),
        (Stump, {"criterion": "entropy"}, [1, 2, 3, 9], [4, 16], math.sqrt(12)),
        (F1, {}, [1, 2, 9], [4, 16], math.sqrt(8)),
        (
            Cost,
            {"miss_cost": 4, "false_alarm_cost": 1, "proliv_share": 0.5},
            [1, 2, 9, 9],
            [4, 16],
            math.sqrt(8),
        ),
        (QuantileOfFullTpr, {"quantile": 0.5}, [1, 2, 2, 3, 8], [5, 9], 2.5),
        (QuantileOfFullTpr, {"quantile": 1}, [1, 2, 2, 3, 8], [5, 9], 5),
        (TprAtLeast, {"tpr": 0.75}, [], [1, 2, 3, 4], 2),
        (TnrAtLeast, {"tnr": 0.75}, [1, 2, 3, 4], [], math.nextafter(3, 4)),
        (NormalQuantile, {"quantile": 0.75}, [1, 2, 4, 6, 20], [], 6),
        (Conformal, {"alpha": 0.25}, [1, 2, 3, 4, 5, 6, 7], [], math.nextafter(6, 7)),
    ],
)
def test_the_worked_example_of_the_docstring_holds(
    rule: type[ThresholdRule], settings: dict[str, object], normal: list[float], proliv: list[float], threshold: float
) -> None:
    assert make(rule, **settings).choose(evidence(normal, proliv)) == pytest.approx(threshold, rel=1e-15)


def test_the_worked_examples_of_weights_hold() -> None:
    weighted = evidence([1, 2, 3], [1, 2, 6], [1, 1, 2], [1, 1, 2])
    assert make(MeanProliv).choose(weighted) == pytest.approx(3.75)
    assert effective_count(scores(1, 1, 2)) == pytest.approx(16 / 6)
    assert make(NormalQuantile, quantile=0.5).choose(weighted) == pytest.approx(2.5)


@given(normal=st.one_of(any_sign, tied, positive), proliv=st.one_of(any_sign, tied, positive))
def test_the_midpoint_lies_between_the_quantiles(normal: list[float], proliv: list[float]) -> None:
    chosen = make(QuantileMidpoint).choose(evidence(normal, proliv))
    low, high = sorted((float(np.quantile(normal, 0.99)), float(np.quantile(proliv, 0.01))))
    assert low - 1e-9 * abs(low) <= chosen <= high + 1e-9 * abs(high)


def test_the_midpoint_hardly_moves_with_a_single_odd_crop() -> None:
    normal, proliv = [float(score) for score in range(1, 1001)], [2000.0 + score for score in range(1000)]
    usual = make(QuantileMidpoint).choose(evidence(normal, proliv))
    odd = make(QuantileMidpoint).choose(evidence([*normal, 1e6], [*proliv, 1.0]))
    assert odd == pytest.approx(usual, rel=0.01)
    assert make(Balanced).choose(evidence([*normal, 1900.0], proliv)) > 1.3 * make(Balanced).choose(
        evidence(normal, proliv)
    )


@given(normal=st.one_of(any_sign, tied, positive), proliv=st.one_of(any_sign, tied, positive))
def test_balanced_is_as_good_as_any_cut(normal: list[float], proliv: list[float]) -> None:
    known = evidence(normal, proliv)
    chosen = make(Balanced).choose(known)
    assert math.isfinite(chosen)
    every_cut = [*normal, *proliv, math.inf]
    assert merit(known, chosen) == pytest.approx(max(merit(known, cut) for cut in every_cut))


@given(normal=positive, proliv=positive, factor=st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_balanced_follows_the_unit_of_the_scores(normal: list[float], proliv: list[float], factor: float) -> None:
    known = evidence(normal, proliv)
    scaled = ScoreEvidence(normal=known.normal * factor, proliv=known.proliv * factor)
    assert make(Balanced).choose(scaled) == pytest.approx(make(Balanced).choose(known) * factor)


def test_balanced_leaves_both_classes_the_same_room_in_proportion() -> None:
    assert make(Balanced).choose(evidence([1, 2], [8, 9])) == pytest.approx(4)
    assert make(Balanced).choose(evidence([-4, -2], [8, 9])) == pytest.approx(3)


def test_of_equally_good_and_equally_wide_intervals_balanced_takes_the_lower() -> None:
    assert make(Balanced).choose(evidence([1, 4], [2, 8])) == pytest.approx(math.sqrt(2))


def test_balanced_alarms_on_everything_when_no_cut_helps() -> None:
    assert make(Balanced).choose(evidence([5, 5], [5])) == 5
    assert make(Balanced).choose(evidence([7, 8], [1, 2])) == 1


def test_between_neighbouring_numbers_the_upper_one_cuts() -> None:
    above = math.nextafter(1.0, 2.0)
    assert make(Balanced).choose(evidence([1.0], [above])) == above


@pytest.mark.parametrize(
    ("rule", "normal", "proliv", "words"),
    [
        (QuantileMidpoint, [], [1], ["quantile-midpoint", "0 of ne_proliv", "add crops of ne_proliv"]),
        (QuantileMidpoint, [1], [], ["quantile-midpoint", "0 of proliv", "add crops of proliv"]),
        (Balanced, [], [1], ["balanced", "0 of ne_proliv and 1 of proliv", "add crops of ne_proliv"]),
        (Balanced, [1, 2], [], ["balanced", "2 of ne_proliv and 0 of proliv", "add crops of proliv"]),
        (Balanced, [], [], ["add crops of ne_proliv and proliv"]),
        (MeanProliv, [1], [], ["mean-proliv", "0 of proliv"]),
        (FractionOfMax, [1], [], ["fraction-of-max", "0 of proliv"]),
        (Fixed, [1], [1], ["fixed", "threshold"]),
        (Stump, [], [1], ["stump", "0 of ne_proliv and 1 of proliv", "add crops of ne_proliv"]),
        (F1, [1, 2], [], ["f1", "2 of ne_proliv and 0 of proliv", "add crops of proliv"]),
        (Cost, [1, 2], [], ["cost", "2 of ne_proliv and 0 of proliv", "add crops of proliv"]),
        (QuantileOfFullTpr, [], [1], ["quantile-of-full-tpr", "0 of ne_proliv"]),
        (TprAtLeast, [1], [], ["tpr-at-least", "0 of proliv"]),
        (TnrAtLeast, [], [1], ["tnr-at-least", "0 of ne_proliv"]),
        (NormalQuantile, [], [1], ["normal-quantile", "0 of ne_proliv"]),
        (Conformal, [], [1], ["conformal", "0 of ne_proliv"]),
        (FalseAlarmsPerWeek, [], [1], ["false-alarms-per-week", "0 of ne_proliv"]),
    ],
)
def test_missing_evidence_is_named_and_counted(
    rule: type[ThresholdRule], normal: list[float], proliv: list[float], words: list[str]
) -> None:
    with pytest.raises(EvidenceMissingError) as caught:
        make(rule).choose(evidence(normal, proliv))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (Balanced, {"k": 1}),
        (FractionOfMax, {"k": 0}),
        (FractionOfMax, {"k": -0.5}),
        (FractionOfMax, {"k": math.nan}),
        (FractionOfMax, {"k": math.inf}),
        (Fixed, {"threshold": -1}),
        (Fixed, {"threshold": math.nan}),
        (Fixed, {"threshold": math.inf}),
        (Stump, {"criterion": "mse"}),
        (Cost, {"miss_cost": 0}),
        (Cost, {"false_alarm_cost": -1}),
        (Cost, {"proliv_share": 0}),
        (Cost, {"proliv_share": 1}),
        (QuantileOfFullTpr, {"quantile": 1.1}),
        (TprAtLeast, {"tpr": 0}),
        (TprAtLeast, {"tpr": 1.01}),
        (TnrAtLeast, {"tnr": 0}),
        (NormalQuantile, {"quantile": -0.1}),
        (Conformal, {"alpha": 0}),
        (Conformal, {"alpha": 1}),
        (FalseAlarmsPerWeek, {"false_alarms": 0}),
        (FalseAlarmsPerWeek, {"crops_per_week": 0}),
        (FalseAlarmsPerWeek, {"crops_per_week": math.nan}),
    ],
)
def test_senseless_settings_are_refused(rule: type[ThresholdRule], settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make(rule, **settings)


# Laws of all rules

RULES: dict[type[ThresholdRule], dict[str, object]] = {
    QuantileMidpoint: {},
    Balanced: {},
    Stump: {},
    F1: {},
    Cost: {},
    QuantileOfFullTpr: {},
    TprAtLeast: {},
    TnrAtLeast: {},
    NormalQuantile: {},
    # So large that one crop is enough.
    Conformal: {"alpha": 0.5},
    FalseAlarmsPerWeek: {"false_alarms": 1, "crops_per_week": 2},
    MeanProliv: {},
    FractionOfMax: {"k": 1},
    Fixed: {"threshold": 3},
}
CHOOSING = {rule: settings for rule, settings in RULES.items() if rule is not Fixed}
# These pass all crops up to a score, so that they may lie one floating-point number above the highest.
JUST_ABOVE = (TnrAtLeast, Conformal, FalseAlarmsPerWeek)
# The rules of which a crop of weight k is k crops; a quantile takes more crops for better knowledge of the end.
COUNTING = {
    rule: settings
    for rule, settings in CHOOSING.items()
    if rule not in (QuantileMidpoint, NormalQuantile, Conformal, FalseAlarmsPerWeek)
}
weighted = st.lists(st.tuples(st.one_of(st.floats(0.01, 100), st.integers(1, 4).map(float)), st.integers(1, 4)),
                    min_size=1, max_size=10)  # fmt: skip
Weighted = list[tuple[float, int]]


def weigh(normal: Weighted, proliv: Weighted, factor: float = 1) -> ScoreEvidence:
    return evidence(
        [score * factor for score, _ in normal],
        [score * factor for score, _ in proliv],
        [float(weight) for _, weight in normal],
        [float(weight) for _, weight in proliv],
    )


def test_these_are_all_rules() -> None:
    builtin = [name for name, one in Registry.load().rules.items() if one.provider.target.startswith("plugins.")]
    assert [rule.name for rule in RULES] == builtin


def test_every_rule_is_in_the_page_about_rules() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == [rule.name for rule in RULES]


@pytest.mark.parametrize("rule", CHOOSING)
@given(normal=weighted, proliv=weighted)
def test_a_threshold_lies_among_the_scores(rule: type[ThresholdRule], normal: Weighted, proliv: Weighted) -> None:
    known = weigh(normal, proliv)
    chosen = make(rule, **CHOOSING[rule]).choose(known)
    every = np.concatenate([known.normal, known.proliv])
    highest = float(every.max())
    assert every.min() <= chosen <= (math.nextafter(highest, math.inf) if rule in JUST_ABOVE else highest)


@pytest.mark.parametrize("rule", CHOOSING)
@given(normal=weighted, proliv=weighted, factor=st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_a_threshold_follows_the_unit_of_the_scores(
    rule: type[ThresholdRule], normal: Weighted, proliv: Weighted, factor: float
) -> None:
    chosen = make(rule, **CHOOSING[rule]).choose(weigh(normal, proliv))
    scaled = make(rule, **CHOOSING[rule]).choose(weigh(normal, proliv, factor))
    assert scaled == pytest.approx(chosen * factor, rel=1e-12)


@pytest.mark.parametrize("rule", COUNTING)
@given(normal=weighted, proliv=weighted)
def test_a_crop_of_weight_k_is_k_crops(rule: type[ThresholdRule], normal: Weighted, proliv: Weighted) -> None:
    # One class alone: stump and F1 know how many crops of each there are, and a class of mean weight 1 does not tell.
    repeated = evidence([score for score, weight in normal for _ in range(weight)], [score for score, _ in proliv])
    once = weigh(normal, [(score, 1) for score, _ in proliv])
    if rule in (Stump, F1):
        part = repeated.normal.size / once.normal.size
        once.normal_weights = once.normal_weights * part
    assert make(rule, **COUNTING[rule]).choose(once) == pytest.approx(make(rule, **COUNTING[rule]).choose(repeated))
    repeated = evidence([score for score, _ in normal], [score for score, weight in proliv for _ in range(weight)])
    once = weigh([(score, 1) for score, _ in normal], proliv)
    if rule in (Stump, F1):
        once.proliv_weights = once.proliv_weights * (repeated.proliv.size / once.proliv.size)
    assert make(rule, **COUNTING[rule]).choose(once) == pytest.approx(make(rule, **COUNTING[rule]).choose(repeated))


@pytest.mark.parametrize("rule", CHOOSING)
@pytest.mark.parametrize("score", [0.1, 7.0])
@pytest.mark.parametrize(("normal", "proliv"), [(1, 1), (3, 7)])
def test_scores_that_are_all_equal_stay_the_threshold(
    rule: type[ThresholdRule], score: float, normal: int, proliv: int
) -> None:
    chosen = make(rule, **CHOOSING[rule]).choose(evidence([score] * normal, [score] * proliv))
    assert chosen == (math.nextafter(score, math.inf) if rule in JUST_ABOVE else score)


@pytest.mark.parametrize("rule", [Balanced, Stump, F1, Cost, QuantileMidpoint])
def test_of_one_crop_each_the_threshold_is_the_middle(rule: type[ThresholdRule]) -> None:
    assert make(rule).choose(evidence([4], [9])) == pytest.approx(6)


@pytest.mark.parametrize("rule", RULES)
def test_choosing_leaves_the_evidence_as_it_was(rule: type[ThresholdRule]) -> None:
    known = evidence([3, 1, 2], [9, 7, 8], [1, 2, 3], [3, 2, 1])
    before = [values.tolist() for values in vars(known).values() if isinstance(values, np.ndarray)]
    make(rule, **RULES[rule]).choose(known)
    assert [values.tolist() for values in vars(known).values() if isinstance(values, np.ndarray)] == before


# Quantiles and rates


@given(values=st.one_of(any_sign, tied, positive), share=st.floats(0, 1))
def test_with_equal_weights_the_quantile_is_numpys(values: list[float], share: float) -> None:
    assert quantile(scores(*values), np.full(len(values), 3.0), share) == np.quantile(values, share)


@given(values=st.one_of(tied, positive), share=st.floats(0, 1))
def test_with_weights_that_hardly_differ_it_hardly_differs_from_numpys(values: list[float], share: float) -> None:
    weights = np.linspace(1, 1 + 1e-12, len(values))
    assert quantile(scores(*values), weights, share) == pytest.approx(
        float(np.quantile(values, share)), rel=1e-6, abs=1e-6 * max(values)
    )


def test_a_crop_of_hardly_any_weight_hardly_moves_the_quantile() -> None:
    without = quantile(scores(1, 2, 3), scores(1, 1, 2), 0.9)
    assert quantile(scores(1, 2, 3, 1000), scores(1, 1, 2, 1e-9), 0.9) == pytest.approx(without, rel=1e-5)


@given(proliv=weighted, tpr=st.one_of(st.floats(0.01, 1), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 1.0])))
def test_the_highest_threshold_that_catches_enough(proliv: Weighted, tpr: float) -> None:
    known = weigh([], proliv)

    def rate(threshold: float) -> float:
        return float(known.proliv_weights[known.proliv >= threshold].sum() / known.proliv_weights.sum())

    chosen = make(TprAtLeast, tpr=tpr).choose(known)
    assert rate(chosen) >= tpr - 1e-11
    assert rate(math.nextafter(chosen, math.inf)) < tpr


@given(normal=weighted, tnr=st.one_of(st.floats(0.01, 1), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 1.0])))
def test_the_lowest_threshold_that_passes_enough(normal: Weighted, tnr: float) -> None:
    known = weigh(normal, [])

    def rate(threshold: float) -> float:
        return float(known.normal_weights[known.normal < threshold].sum() / known.normal_weights.sum())

    chosen = make(TnrAtLeast, tnr=tnr).choose(known)
    assert rate(chosen) >= tnr - 1e-11
    assert rate(math.nextafter(chosen, -math.inf)) < tnr


@given(normal=weighted, proliv=weighted, share=st.floats(0, 1))
def test_every_threshold_of_full_tpr_catches_all(normal: Weighted, proliv: Weighted, share: float) -> None:
    known = weigh(normal, proliv)
    assert make(QuantileOfFullTpr, quantile=share).choose(known) <= known.proliv.min()
