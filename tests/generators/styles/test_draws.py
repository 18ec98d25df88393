from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from scipy.stats import chisquare

from generators.styles.draws import MANY, draw
from generators.styles.sampling import StyleModel
from tests.generators.styles.conftest import dependent_table, every_style, model


@pytest.mark.parametrize("count", [MANY - 1, MANY])
def test_frequencies_of_samples_are_the_probabilities(count: int) -> None:
    drawn = list(model().sample(count, seed=20))
    assert len(drawn) == count
    for attribute, (row,) in zip(model().attributes, model().tables, strict=True):
        found = Counter(style.values[attribute.name] for style in drawn)
        assert chisquare([found[value] for value in attribute.values], [count * p for p in row]).pvalue > 0.001
    # Pairs as well: attributes drawn from one and the same number would pass the test above.
    hair, colour = model().attributes[0], model().attributes[4]
    both = Counter((style.values[hair.name], style.values[colour.name]) for style in drawn)
    expected = [count * p * q for p in model().tables[0][0] for q in model().tables[4][0]]
    assert chisquare([both[pair] for pair in product(hair.values, colour.values)], expected).pvalue > 0.001


@pytest.mark.parametrize("count", [2000, MANY])
def test_sums_that_fall_short_of_1_lead_to_no_impossible_value(count: int) -> None:
    # Rounding makes sums fall short by a trifle; here by so much that it shows.
    assert {place for (place,) in draw([None], [((0.0, 0.3, 0.3, 0.0),)], [0], count, 1)} == {1, 2}


@pytest.mark.parametrize("of", [model(), StyleModel.tree(dependent_table())], ids=["independent", "tree"])
def test_a_seed_means_the_same_styles_however_many(of: StyleModel) -> None:
    many = list(of.sample(MANY + 10, seed=5))
    assert list(of.sample(500, seed=5)) == many[:500]
    assert list(of.sample(MANY - 1, seed=5))[-1] == many[MANY - 2]
    assert list(of.sample(50, seed=6)) != many[:50]


def test_without_a_seed_styles_differ_from_call_to_call() -> None:
    assert list(model().sample(30)) != list(model().sample(30))


def test_samples_of_a_tree_under_a_condition_have_its_probabilities() -> None:
    given = StyleModel.tree(dependent_table()).given({"hat": "cap"})
    drawn = Counter(tuple(style.values.values()) for style in given.sample(MANY, seed=9))
    likely = {values: p * MANY for values, p in every_style(given).items() if p * MANY >= 5}
    rest = MANY - sum(likely.values())
    observed = [*(drawn[values] for values in likely), MANY - sum(drawn[values] for values in likely)]
    assert chisquare(observed, [*likely.values(), rest]).pvalue > 0.001
