from __future__ import annotations

import math
from itertools import islice, pairwise

import pytest

from generators.styles.sampling import Attribute, StyleModel, StyleTable
from tests.generators.styles.conftest import every_style, model


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
