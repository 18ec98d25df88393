"""Style models: the published figures, sums of 1, conditions, and trees compared with brute force."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from generators.styles.draws import MANY
from generators.styles.sampling import Attribute, StyleModel
from monitor.api import DataError
from tests.generators.styles.conftest import dependent_table, every_style, model, named, of_values

PUBLISHED = [
    ("длинные прямые, серебристо серый, нет очков, футболка с круглым вырезом, розовый", "0.002445932658582044"),
    ("короткая прямые, черный, солнцезащитные очки, комбинезон, белый", "0.0004337453914552157"),
    ("короткая прямые, серебристо серый, нет очков, комбинезон, синий", "0.0007745453418843139"),
]


@pytest.mark.parametrize(("values", "published"), PUBLISHED)
def test_published_results_to_the_last_digit(values: str, published: str) -> None:
    style = model().style(named(values))
    assert repr(style.probability) == published
    assert style.values == named(values)
    assert math.exp(style.log_probability) == pytest.approx(style.probability, rel=1e-14)


def test_a_condition_changes_what_it_gives_and_nothing_else() -> None:
    condition = {"цвет волос": "черный"}
    given = model().given(condition)
    for free, bound in zip(model().sample(200, seed=1), given.sample(200, seed=1), strict=True):
        assert {**free.values, **condition} == bound.values
        assert {**free.probabilities, "цвет волос": 1.0} == bound.probabilities
    assert abs(math.fsum(style.probability for style in given.most_likely()) - 1) < 1e-12
    assert sum(1 for _ in given.most_likely()) == 4032 // 6


def test_plain_maximum_likelihood_never_draws_what_was_never_seen() -> None:
    plain = model(0)
    assert plain.style({"прическа": "длинные в пучок"}).log_probability == -math.inf
    assert all(style.values["прическа"] != "длинные в пучок" for style in plain.sample(MANY, seed=2))
    found = list(plain.most_likely())
    assert len(found) == 4032 // 7 * 6
    assert all(style.probability > 0 for style in found)
    with pytest.raises(DataError, match=r"прическа=длинные в пучок has probability 0"):
        plain.given({"прическа": "длинные в пучок"})


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_trees_enumerate_condition_and_sum_like_brute_force(smoothing: float) -> None:
    tree = StyleModel.tree(dependent_table(), smoothing)
    everything = every_style(tree)
    found = list(tree.most_likely())
    assert all(one.probability >= other.probability for one, other in pairwise(found))
    assert {tuple(s.values.values()): s.probability for s in found} == {
        values: p for values, p in everything.items() if p > 0
    }
    assert math.fsum(everything.values()) == pytest.approx(1, abs=1e-12)
    conditions: list[dict[str, str]] = [{"hair": "grey"}, {"hat": "cap"}, {"age": "old", "hat": "cap"}, {"pet": "cat"}]
    for condition in conditions:
        meets = {v: p for v, p in everything.items() if condition.items() <= of_values(tree, v).items()}
        total = math.fsum(meets.values())
        assert tree.style(condition).probability == pytest.approx(total, rel=1e-12)
        given = tree.given(condition)
        assert len(list(given.most_likely())) == sum(p > 0 for p in meets.values())
        for values, probability in meets.items():
            style = given.style(of_values(tree, values))
            assert style.probability == pytest.approx(probability / total, rel=1e-12)
            assert all(style.probabilities[name] == 1 for name in condition) or probability == 0


def test_a_condition_that_no_style_of_the_tree_meets_is_refused() -> None:
    plain = StyleModel.tree(dependent_table(), 0)
    with pytest.raises(DataError, match="the condition hat=cap, hair=grey has probability 0"):
        plain.given({"hat": "cap", "hair": "grey"})
    assert plain.style({"hat": "cap", "hair": "grey"}).probability == 0
    # Nothing is asked of the parent, and the first value is impossible already.
    assert plain.parents[3] == 0
    assert plain.style({"hair": "green", "pet": "cat"}).probabilities == {"pet": 0, "hair": 0}


def test_thousands_of_conditions_do_not_underflow() -> None:
    count = 2000
    star = StyleModel(
        tuple(Attribute(f"a{number}", ("x", "y"), (0, 0)) for number in range(count + 1)),
        (None, *[0] * count),
        (((0.5, 0.5),), *[((0.4, 0.6), (0.6, 0.4))] * count),
    )
    values = {f"a{number}": "x" if number % 2 else "y" for number in range(1, count + 1)}
    assert star.given(values).style({"a0": "x"}).probability == pytest.approx(0.5)
