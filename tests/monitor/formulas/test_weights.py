from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.formulas.weights import effective_size, percentiles


def test_percentiles_of_equal_weights_are_the_usual_ones() -> None:
    scores = np.random.default_rng(0).normal(size=37)
    assert percentiles(scores, np.ones(37)) == pytest.approx(np.quantile(scores, np.linspace(0, 1, 101)).tolist())
    assert percentiles(np.empty(0), np.empty(0)) == []
    assert percentiles(np.array([2.0]), np.ones(1)) == [2.0] * 101
    heavy = percentiles(np.array([1.0, 2.0, 3.0]), np.array([0.1, 9.8, 0.1]))
    assert heavy[50] == pytest.approx(2.5, abs=0.5)


def test_unequal_weights_say_less_than_their_number() -> None:
    assert effective_size(np.array([1.0] * 8 + [3.0] * 4)) == pytest.approx(400 / 44)
    assert effective_size(np.empty(0)) == 0


@given(count=st.integers(1, 500), weight=st.floats(1e-300, 1e300))
def test_equal_weights_say_exactly_their_number(count: int, weight: float) -> None:
    assert effective_size(np.full(count, weight)) == count
