from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.configuration.settings import Calibration
from monitor.formulas.rates import evaluate, interval
from monitor.thresholds import guard
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
