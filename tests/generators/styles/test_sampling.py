"""Style models: the published figures, sums of 1, frequencies, order, conditions, and trees against brute force."""

from __future__ import annotations

import math
import random
import unicodedata
from collections import Counter
from itertools import islice, pairwise, product
from statistics import stdev
from typing import TYPE_CHECKING

import pytest
from scipy.stats import chisquare

from generators.styles.draws import MANY, draw
from generators.styles.sampling import Attribute, StyleModel, StyleTable, default_table
from generators.styles.trees import compare, edges
from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLISHED = [
    ("длинные прямые, серебристо серый, нет очков, футболка с круглым вырезом, розовый", "0.002445932658582044"),
    ("короткая прямые, черный, солнцезащитные очки, комбинезон, белый", "0.0004337453914552157"),
    ("короткая прямые, серебристо серый, нет очков, комбинезон, синий", "0.0007745453418843139"),
]


def model(smoothing: float = 1.0) -> StyleModel:
    return StyleModel.independent(default_table(), smoothing)


def named(values: str) -> dict[str, str]:
    return dict(zip((a.name for a in default_table().attributes), values.split(", "), strict=True))


def dependent_table(observations: int = 300, seed: int = 4) -> StyleTable:
    """`hat` goes by the hair, which goes by the age; nothing goes by the pet. The ages come first and last."""
    generator = random.Random(seed)
    rows = []
    for _ in range(observations):
        age = generator.choice(["old", "old", "young"])
        hair = "grey" if age == "old" and generator.random() < 0.8 else generator.choice(["black", "red"])
        hat = generator.choice(["cap", "none"]) if hair == "red" else "none"
        rows.append({"hat": hat, "age": age, "pet": generator.choice(["cat", "dog"]), "hair": hair})
    return StyleTable.of_observations(rows, {"hair": ["black", "grey", "red", "green"]})


def every_style(of: StyleModel) -> dict[tuple[str, ...], float]:
    """The probability of every style, multiplied out from the model's tables alone."""
    everything = {}
    for places in product(*(range(len(a.values)) for a in of.attributes)):
        factors = (
            of.tables[number][0 if parent is None else places[parent]][places[number]]
            for number, parent in enumerate(of.parents)
        )
        values = tuple(a.values[place] for a, place in zip(of.attributes, places, strict=True))
        everything[values] = math.prod(factors)
    return everything


def of_values(of: StyleModel, values: tuple[str, ...]) -> dict[str, str]:
    return {a.name: value for a, value in zip(of.attributes, values, strict=True)}


@pytest.mark.parametrize(("values", "published"), PUBLISHED)
def test_published_results_to_the_last_digit(values: str, published: str) -> None:
    style = model().style(named(values))
    assert repr(style.probability) == published
    assert style.values == named(values)
    assert math.exp(style.log_probability) == pytest.approx(style.probability, rel=1e-14)


def test_the_shipped_table_is_the_documented_one() -> None:
    attributes = default_table().attributes
    assert [len(a.values) for a in attributes] == [7, 6, 3, 4, 8]
    assert [sum(a.counts) for a in attributes] == [50] * 5
    assert attributes[0] == Attribute(
        "прическа",
        (
            "нет волос",
            "длинные в пучок",
            "длинные волнистые",
            "длинные прямые",
            "короткая волнистые",
            "короткая прямые",
            "короткая курчавые",
        ),
        (7, 0, 1, 23, 1, 11, 7),
    )
    assert default_table().observations is None


def test_all_styles_come_once_by_probability_and_sum_to_one() -> None:
    styles = list(model().most_likely())
    assert len({tuple(style.values.values()) for style in styles}) == len(styles) == 4032
    assert all(one.probability >= other.probability for one, other in pairwise(styles))
    assert abs(math.fsum(style.probability for style in styles) - 1) < 1e-12
    assert {tuple(s.values.values()): s.probability for s in styles} == every_style(model())


def test_equally_likely_styles_come_in_the_order_of_the_table() -> None:
    table = StyleTable.of_counts({"a": {"x": 2, "y": 2, "z": 2}, "b": {"u": 1, "v": 1}})
    found = [" ".join(style.values.values()) for style in StyleModel.independent(table).most_likely()]
    assert found == ["x u", "x v", "y u", "y v", "z u", "z v"]


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


@pytest.mark.parametrize("smoothing", [-1, math.nan, math.inf, 1e308])
def test_a_smoothing_that_makes_no_distribution_is_refused(smoothing: float) -> None:
    with pytest.raises(DataError, match=r"the smoothing .* must be 0 or more"):
        model(smoothing)


def test_nothing_observed_needs_smoothing() -> None:
    table = StyleTable.of_counts({"a": {"x": 0, "y": 0}})
    assert StyleModel.independent(table).style({"a": "x"}).probability == 0.5
    with pytest.raises(DataError, match="the table: a: nothing was observed"):
        StyleModel.independent(table, 0)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"цвет волос has no value 'чёрный'; the nearest: черный"):
        model().style({"цвет волос": "чёрный"})
    with pytest.raises(DataError, match=r"no attribute 'Прическа'; the nearest: прическа"):
        model().given({"Прическа": "нет волос"})
    with pytest.raises(DataError, match=r"no value 'xyz'; there are: нет очков, круглые очки"):
        model().style({"аксесуар": "xyz"})


def test_a_name_typed_in_decomposed_letters_is_found() -> None:
    # As macOS may write it: the letter, and then what makes it another one.
    decomposed = unicodedata.normalize("NFD", "синий")
    assert decomposed != "синий"
    assert model().style({"цвет одежды": decomposed}).values == {"цвет одежды": "синий"}


def test_the_tree_is_the_likeliest_of_all_trees() -> None:
    table = dependent_table()
    rows = table.observations or ()

    def likelihood(parents: Mapping[int, int]) -> float:
        """Of the observations under plain maximum likelihood with these edges; 0 is the root."""
        total = 0.0
        for child in range(4):
            parent = parents.get(child)
            pairs = Counter((None if parent is None else row[parent], row[child]) for row in rows)
            alone = Counter(None if parent is None else row[parent] for row in rows)
            total += sum(count * math.log(count / alone[value]) for (value, _), count in pairs.items())
        return total

    choices = (dict(zip((1, 2, 3), choice, strict=True)) for choice in product(range(4), repeat=3))
    trees = [parents for parents in choices if all(reaches_root(parents, child) for child in parents)]
    assert len(trees) == 16
    learnt = {child: parent for child, parent in enumerate(StyleModel.tree(table).parents) if parent is not None}
    assert likelihood(learnt) == pytest.approx(max(map(likelihood, trees)), abs=1e-9)
    # The hat knows of the age by way of the hair alone.
    found = {frozenset((edge.parent, edge.child)) for edge in edges(table)}
    assert {frozenset(("hat", "hair")), frozenset(("hair", "age"))} <= found


def reaches_root(parents: Mapping[int, int], child: int) -> bool:
    for _ in parents:
        child = parents.get(child, child)
    return child == 0


def test_rows_of_the_tree_are_the_documented_formula() -> None:
    rows = [("a", "u")] * 3 + [("a", "v")] + [("b", "v")] * 2
    table = StyleTable.of_observations([{"one": x, "two": y} for x, y in rows], {"one": ["a", "b", "c"]})
    smoothed, plain = StyleModel.tree(table, 0.5), StyleModel.tree(table, 0)
    assert smoothed.parents == (None, 0)
    assert smoothed.tables[0] == ((4.5 / 7.5, 2.5 / 7.5, 0.5 / 7.5),)
    assert smoothed.tables[1] == ((3.5 / 5, 1.5 / 5), (0.5 / 3, 2.5 / 3), (0.5, 0.5))
    # Never observed: the row of `two` alone.
    assert plain.tables[1][2] == (0.5, 0.5)
    assert plain.tables[1][:2] == ((0.75, 0.25), (0.0, 1.0))


def test_information_is_that_of_the_counts() -> None:
    table = StyleTable.of_observations([{"a": "x", "b": "u"}] * 2 + [{"a": "y", "b": "v"}] * 2)
    assert edges(table)[0].information == pytest.approx(math.log(2))


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


def test_samples_of_a_tree_under_a_condition_have_its_probabilities() -> None:
    given = StyleModel.tree(dependent_table()).given({"hat": "cap"})
    drawn = Counter(tuple(style.values.values()) for style in given.sample(MANY, seed=9))
    likely = {values: p * MANY for values, p in every_style(given).items() if p * MANY >= 5}
    rest = MANY - sum(likely.values())
    observed = [*(drawn[values] for values in likely), MANY - sum(drawn[values] for values in likely)]
    assert chisquare(observed, [*likely.values(), rest]).pvalue > 0.001


def test_a_condition_that_no_style_of_the_tree_meets_is_refused() -> None:
    plain = StyleModel.tree(dependent_table(), 0)
    with pytest.raises(DataError, match="the condition hat=cap, hair=grey has probability 0"):
        plain.given({"hat": "cap", "hair": "grey"})
    assert plain.style({"hat": "cap", "hair": "grey"}).probability == 0
    # Nothing is asked of the parent, and the first value is impossible already.
    assert plain.parents[3] == 0
    assert plain.style({"hair": "green", "pet": "cat"}).probabilities == {"pet": 0, "hair": 0}


def test_held_out_likelihood_tells_dependence_from_independence() -> None:
    dependent = compare(dependent_table(600))
    assert dependent.folds == 10
    assert dependent.tree > dependent.independent + 5 * dependent.error
    generator = random.Random(3)
    rows = [{name: generator.choice("uvwxyz") for name in "abcde"} for _ in range(100)]
    noise = compare(StyleTable.of_observations(rows))
    assert noise.independent > noise.tree


def test_held_out_likelihood_is_that_of_the_others() -> None:
    """Two observations: each is judged by a model of the other one alone."""
    table = StyleTable.of_observations([{"a": "x", "b": "u"}, {"a": "y", "b": "v"}])
    # (0 + 1) / (1 + 2) for each attribute; in the tree b is under a value of a that the other one did not have.
    found = compare(table)
    assert found.folds == 2
    assert found.independent == pytest.approx(2 * math.log(1 / 3))
    assert found.tree == pytest.approx(math.log(1 / 3) + math.log(1 / 2))
    assert found.error == pytest.approx(0)
    assert compare(table, 0).tree == -math.inf
    assert math.isnan(compare(table, 0).error)


def test_the_standard_error_is_that_of_the_differences() -> None:
    """Four observations, each in a part of its own, of which one is unlike the others."""
    table = StyleTable.of_observations([{"a": "x", "b": "u"}] * 3 + [{"a": "y", "b": "v"}])
    # Held out, x and u: 3/5 each, b under x likewise 3/4; y and v: 1/5 each, b under y, which nobody saw, 1/2.
    differences = [math.log(3 / 4) - math.log(3 / 5)] * 3 + [math.log(1 / 2) - math.log(1 / 5)]
    found = compare(table)
    assert found.tree - found.independent == pytest.approx(math.fsum(differences) / 4)
    assert found.error == pytest.approx(stdev(differences) / 2)


def test_a_tree_needs_observations_and_a_comparison_two() -> None:
    with pytest.raises(DataError, match="holds counts alone"):
        StyleModel.tree(default_table())
    with pytest.raises(DataError, match="give two at least"):
        compare(StyleTable.of_observations([{"a": "x"}]))
    wide = StyleTable.of_observations([{f"a{number}": "x" for number in range(4001)}])
    with pytest.raises(DataError, match="4001 values are too many for a tree"):
        StyleModel.tree(wide)


def test_the_likeliest_of_more_styles_than_atoms_come_at_once() -> None:
    huge = StyleModel.independent(StyleTable.of_counts({f"a{n}": {"x": 3, "y": 2, "z": 1} for n in range(1000)}))
    first = list(islice(huge.most_likely(), 70))
    assert set(first[0].values.values()) == {"x"}
    assert first[0].probability == 0.0
    assert first[0].log_probability == pytest.approx(1000 * math.log(4 / 9))
    assert all(sorted(style.values.values()).count("y") == 1 for style in first[1:])
    assert len({tuple(style.values.values()) for style in first}) == 70
    assert len(next(huge.sample(1)).values) == 1000


def test_a_long_chain_is_no_recursion() -> None:
    length = 1500
    chain = StyleModel(
        tuple(Attribute(f"a{number}", ("x", "y"), (0, 0)) for number in range(length)),
        (None, *range(length - 1)),
        (((0.9, 0.1),), *[((0.9, 0.1), (0.2, 0.8))] * (length - 1)),
    )
    best, second = islice(chain.most_likely(), 2)
    assert set(best.values.values()) == {"x"}
    # To turn at the very end costs least.
    assert [name for name, value in second.values.items() if value == "y"] == [f"a{length - 1}"]
    given = chain.given({f"a{length - 1}": "y"})
    assert given.style({"a0": "y"}).probability == pytest.approx(0.1, abs=1e-9)
    # Evidence at one end reaches its neighbour: P(x, then y) / P(y), in equilibrium 2/3 and 1/3.
    assert given.style({f"a{length - 2}": "x"}).probability == pytest.approx(0.2, abs=1e-9)


def test_thousands_of_conditions_do_not_underflow() -> None:
    count = 2000
    star = StyleModel(
        tuple(Attribute(f"a{number}", ("x", "y"), (0, 0)) for number in range(count + 1)),
        (None, *[0] * count),
        (((0.5, 0.5),), *[((0.4, 0.6), (0.6, 0.4))] * count),
    )
    values = {f"a{number}": "x" if number % 2 else "y" for number in range(1, count + 1)}
    assert star.given(values).style({"a0": "x"}).probability == pytest.approx(0.5)
