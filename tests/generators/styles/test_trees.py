from __future__ import annotations

import math
import random
from collections import Counter
from itertools import product
from statistics import stdev
from typing import TYPE_CHECKING

import pytest

from generators.styles.sampling import StyleModel, StyleTable, default_table
from generators.styles.trees import compare, edges
from monitor.api import DataError
from tests.generators.styles.conftest import dependent_table

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    with pytest.raises(DataError, match="holds only counts"):
        StyleModel.tree(default_table())
    with pytest.raises(DataError, match="give two at least"):
        compare(StyleTable.of_observations([{"a": "x"}]))
    wide = StyleTable.of_observations([{f"a{number}": "x" for number in range(4001)}])
    with pytest.raises(DataError, match="4001 values are too many for a tree"):
        StyleModel.tree(wide)
