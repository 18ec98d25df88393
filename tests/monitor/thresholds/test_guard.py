from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.api import ScoreEvidence
from monitor.configuration.settings import Calibration
from monitor.formulas.rates import evaluate, interval
from monitor.thresholds import guard
from monitor.thresholds.actions import Action
from monitor.thresholds.guard import Loss
from monitor.words import Label, Refusal

SETTINGS = Calibration()


def by_label(proliv: list[float], normal: list[float]) -> dict[Label, list[float]]:
    return {Label.PROLIV: proliv, Label.NE_PROLIV: normal}


@pytest.mark.parametrize(
    ("candidate", "active", "refused"),
    [(1.5, 1.0, False), (1.51, 1.0, True), (0.5, 1.0, False), (0.49, 1.0, True), (0.0, 0.0, False), (1e-9, 0.0, True),
     (-1.5, -1.0, False), (-1.6, -1.0, True)],
)  # fmt: skip
def test_a_jump_is_measured_against_the_active_threshold(candidate: float, active: float, refused: bool) -> None:
    found = guard.large_jump(candidate, active, SETTINGS)
    assert (found is not None) is refused
    if found:
        assert found.refusal is Refusal.LARGE_JUMP
        assert "calibration.largest_jump allows 50%" in found.sentence
        assert f"{candidate:.6g}" in found.sentence


def test_too_few_normal_crops_are_named_with_their_number() -> None:
    assert guard.too_few_normal(100, 100.0, SETTINGS) is None
    refused = guard.too_few_normal(99, 99.0, SETTINGS)
    assert refused is not None
    assert refused.refusal is Refusal.TOO_FEW_NORMAL
    assert "99 labelled ne_proliv crops are fewer than calibration.minimum_normal 100" in refused.sentence


def test_crops_that_hardly_count_any_more_hardly_count_here() -> None:
    refused = guard.too_few_normal(400, 3.2, SETTINGS)
    assert refused is not None
    assert "400 labelled ne_proliv crops say as much as 3 of equal weight, which are fewer than" in refused.sentence


scores = st.lists(st.floats(0, 10), max_size=30)


@given(scores, scores, st.floats(0, 10), st.floats(0, 10))
def test_losses_are_the_crops_that_the_active_threshold_alone_decides_rightly(
    proliv: list[float], normal: list[float], candidate: float, active: float
) -> None:
    found = guard.losses(candidate, active, by_label(proliv, normal))
    values, truth = [*proliv, *normal], [True] * len(proliv) + [False] * len(normal)
    before, after = evaluate(values, truth, active), evaluate(values, truth, candidate)  # type: ignore[arg-type]
    assert found[Label.PROLIV].lost == max(0, after.fn - before.fn)
    assert found[Label.NE_PROLIV].lost == max(0, after.fp - before.fp)
    # Thresholds are nested: what one class loses, the other cannot lose as well.
    assert 0 in (found[Label.PROLIV].lost, found[Label.NE_PROLIV].lost)


def test_a_loss_counts_only_where_it_is_sure() -> None:
    tight = Calibration(tpr_tolerance=0.1)
    for caught, expected in ((40, None), (1, Refusal.WORSE_TPR)):
        # One proliv of 41 may be chance, one of two is surely more than a hundredth: at least 0.0126.
        newest = by_label([1.5] + [9.0] * caught, [])
        low, _ = interval(1, caught + 1)
        found = guard.worse(2.0, 1.0, newest, tight if caught == 40 else Calibration(tpr_tolerance=0.01))
        assert (found.refusal if found else None) is expected
        assert low is not None


@pytest.mark.parametrize(
    ("candidate", "refusal", "words"),
    [(2.0, Refusal.WORSE_TPR, "misses 8 that the active 1 decides correctly"),
     (0.5, Refusal.WORSE_TNR, "raises an alarm on 9 that the active 1 decides correctly")],
)  # fmt: skip
def test_what_is_worse_on_the_newest_labels_is_refused(candidate: float, refusal: Refusal, words: str) -> None:
    newest = by_label([1.5] * 8 + [3.0] * 2, [0.7] * 9 + [0.1])
    found = guard.worse(candidate, 1.0, newest, SETTINGS)
    assert found is not None
    assert found.refusal is refusal
    assert words in found.sentence
    assert guard.worse(1.0, 1.0, newest, SETTINGS) is None
    assert guard.worse(candidate, 1.0, by_label([], []), SETTINGS) is None


def weighed(proliv: list[float], normal: list[float], normal_weights: list[float] | None = None) -> ScoreEvidence:
    weights = None if normal_weights is None else np.array(normal_weights)
    return ScoreEvidence(np.array(normal), np.array(proliv), normal_weights=weights)


@pytest.mark.parametrize(
    ("lost", "of", "allowed", "refused"),
    [(59, 301, 0.05, True), (59, 301, 0.152, True), (59, 301, 0.154, False), (1, 2, 0.05, False), (8, 10, 0.05, True),
     (10, 100, 0.05, False), (11, 100, 0.05, True), (0, 100, 0.0, False)],
)  # fmt: skip
def test_of_all_labelled_crops_only_so_many_may_be_lost_surely(
    lost: int, of: int, allowed: float, refused: bool
) -> None:
    low, _ = interval(lost, of)
    assert low is not None
    assert (low > allowed) is refused
    settings = Calibration(most_ne_proliv_lost=allowed, most_proliv_lost=allowed)
    normal = guard.too_costly(1.0, 2.0, weighed([], [1.5] * lost + [0.5] * (of - lost)), settings)
    assert (normal.refusal if normal else None) is (Refusal.LOSES_NE_PROLIV if refused else None)
    proliv = guard.too_costly(2.0, 1.0, weighed([1.5] * lost + [3.0] * (of - lost), []), settings)
    assert (proliv.refusal if proliv else None) is (Refusal.LOSES_PROLIV if refused else None)


def test_old_crops_that_hardly_count_may_be_lost() -> None:
    normal = [1.5] * 100 + [0.5] * 100
    assert guard.too_costly(1.0, 2.0, weighed([], normal), SETTINGS) is not None
    assert guard.too_costly(1.0, 2.0, weighed([], normal, [0.01] * 100 + [1.0] * 100), SETTINGS) is None
    assert guard.too_costly(1.0, 2.0, weighed([], normal, [1.0] * 100 + [0.01] * 100), SETTINGS) is not None


@pytest.mark.parametrize(
    ("crops", "of", "lost", "refused"),
    [
        (10, 10, 3, True),
        (9, 9, 3, False),
        (10, 20, 3, False),
        (11, 20, 3, True),
        (10, 10, 2, False),
        (59, 59, 59, True),
    ],
)
def test_one_action_may_not_cost_what_is_warned_about(crops: int, of: int, lost: int, refused: bool) -> None:
    action = Action(Label.PROLIV, crops, of, "were given by eve at noon")
    found = guard.one_action(Loss(lost, 100), Label.NE_PROLIV, action, SETTINGS)
    assert (found.refusal if found else None) is (Refusal.ONE_ACTION if refused else None)
    if found:
        assert f"{crops} of the {of} crops that were newly labelled proliv were given by eve at noon" in found.sentence
        assert f"raises an alarm on {lost} of all 100 labelled ne_proliv crops" in found.sentence


def test_without_an_action_nothing_is_refused_for_one() -> None:
    assert guard.one_action(Loss(50, 100), Label.NE_PROLIV, None, SETTINGS) is None
