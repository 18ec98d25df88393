import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from monitor.api import EvidenceMissingError, ScoreEvidence, ThresholdRule
from plugins.rules import Balanced, Fixed, FractionOfMax, MeanProliv, QuantileMidpoint

positive = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12)
any_sign = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=12)
tied = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=12)


def scores(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def evidence(normal: list[float], proliv: list[float]) -> ScoreEvidence:
    return ScoreEvidence(normal=scores(*normal), proliv=scores(*proliv))


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
    ],
)
def test_the_worked_example_of_the_docstring_holds(
    rule: type[ThresholdRule], settings: dict[str, float], normal: list[float], proliv: list[float], threshold: float
) -> None:
    assert make(rule, **settings).choose(evidence(normal, proliv)) == pytest.approx(threshold)


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
    ],
)
def test_senseless_settings_are_refused(rule: type[ThresholdRule], settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        make(rule, **settings)


def test_choosing_leaves_the_evidence_as_it_was() -> None:
    known = evidence([3, 1, 2], [9, 7, 8])
    for rule in (make(Balanced), make(MeanProliv), make(FractionOfMax)):
        rule.choose(known)
    assert known.normal.tolist() == [3, 1, 2]
    assert known.proliv.tolist() == [9, 7, 8]
