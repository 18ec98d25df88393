"""The formulas that decide whether a model may be replaced."""

from __future__ import annotations

import pytest

from monitor.learning.checks import Pair, Share, misses_proliv, rates, worse, worse_on_made_up
from monitor.words import Label, Unlearned


def pairs(label: Label, *decided: tuple[bool, bool], weight: float = 1.0) -> list[Pair]:
    return [Pair(f"{number}", f"{number}.jpg", label, *one, weight) for number, one in enumerate(decided)]


LOST, WON, BOTH = (True, False), (False, True), (True, True)


def test_a_known_proliv_that_is_no_longer_found_is_named() -> None:
    before, after = {"a": 1.2, "b": 3.0, "c": 0.5}, {"a": 0.9, "b": 1.0, "c": 0.4, "d": 0.1}
    refused = misses_proliv(before, after, (1.0, 1.0), {"a": "/inbox/a.jpg"})
    assert refused is not None
    assert refused.refusal is Unlearned.MISSES_PROLIV
    # c was missed before, and is no loss; of d, nobody knows that it was found.
    assert "of 4 known proliv it misses 2" in refused.sentence
    assert "/inbox/a.jpg, d;" in refused.sentence
    assert misses_proliv(before, {"b": 1.0, "c": 0.4}, (1.0, 1.0), {}) is None


def test_each_model_is_judged_by_its_own_limit() -> None:
    assert misses_proliv({"a": 2.0}, {"a": 0.5}, (1.0, 0.5), {}) is None
    assert misses_proliv({"a": 2.0}, {"a": 0.5}, (1.0, 0.6), {}) is not None


def test_half_a_point_of_any_kind_of_made_up_pictures_is_the_bound() -> None:
    fine = [Share("objects", 2000, 1950, 1940), Share("chaos", 2000, 1900, 2000)]
    assert worse_on_made_up(fine, 0.005) is None
    refused = worse_on_made_up([*fine, Share("light", 2000, 1990, 1979)], 0.005)
    assert refused is not None
    assert "of the kind 'light' it decides 1979 rightly, and the active model 1990: 0.55% fewer" in refused.sentence
    assert worse_on_made_up([], 0.0) is None


def test_a_proliv_that_is_lost_has_to_be_made_up_for() -> None:
    found = pairs(Label.PROLIV, LOST, BOTH, BOTH)
    refused = worse(found)
    assert refused is not None
    assert refused.refusal is Unlearned.WORSE_TPR
    assert "of 3 labelled proliv it misses 1" in refused.sentence
    assert worse([*found, *pairs(Label.PROLIV, WON)]) is None
    # A hundred pictures of one bleed-out count once.
    assert worse([*found, *pairs(Label.PROLIV, *[WON] * 100, weight=0.001)]) is not None


@pytest.mark.parametrize(("lost", "won", "is_refused"), [(5, 0, False), (6, 0, True), (9, 1, True), (8, 2, False)])
def test_more_false_alarms_are_refused_when_they_are_surely_more(lost: int, won: int, is_refused: bool) -> None:
    # The lower ends of Clopper and Pearson's intervals are 0.478, 0.541, 0.555 and 0.444.
    refused = worse(pairs(Label.NE_PROLIV, *[LOST] * lost, *[WON] * won, *[BOTH] * 500))
    assert (refused is not None) is is_refused
    if refused is not None:
        assert refused.refusal is Unlearned.WORSE_TNR
        assert f"raises an alarm on {lost} that the active model passes, and passes {won} others" in refused.sentence


def test_both_rates_have_their_exact_intervals() -> None:
    found = rates([*pairs(Label.PROLIV, *[BOTH] * 8, *[LOST] * 2), *pairs(Label.NE_PROLIV, WON, BOTH)])
    after = found["tpr_after"]
    assert (after["rate"], round(after["low"], 4), round(after["high"], 4)) == (0.8, 0.4439, 0.9748)
    assert (found["tpr_before"]["rate"], found["tnr_before"]["rate"], found["tnr_after"]["rate"]) == (1.0, 0.5, 1.0)
    assert rates([])["tpr_after"] is None
