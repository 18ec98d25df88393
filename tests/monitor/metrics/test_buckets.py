"""The bounds of buckets fit the scores that they are made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.buckets import DEFAULT_BOUNDS, MOST_BOUNDS, RENARD, bucket_bounds
from monitor.store.references import ReferenceRange


def test_bounds_are_numbers_of_the_series_around_the_references() -> None:
    assert bucket_bounds(ReferenceRange(0.00031, 0.00031, 0.0013)) == (
        *(0.0002, 0.00025, 0.000315, 0.0004, 0.0005, 0.00063, 0.0008),
        *(0.001, 0.00125, 0.0016, 0.002),
    )
    # What lies on a number of the series is between two others.
    assert bucket_bounds(ReferenceRange(2.0, 2.0, 2.0)) == (1.6, 2.0, 2.5)
    # Too many of them: every second one.
    assert bucket_bounds(ReferenceRange(1e-4, 1e-4, 9.0))[:4] == (0.000063, 0.0001, 0.00016, 0.00025)
    assert bucket_bounds(ReferenceRange(0.0, 3.0, 3.0)) == (2.0, 2.5, 3.15, 4.0)
    assert bucket_bounds(None) == DEFAULT_BOUNDS


def test_scores_that_may_be_negative_have_bounds_at_equal_distances() -> None:
    bounds = bucket_bounds(ReferenceRange(-3.0, 0.5, 4.0))
    assert bounds[:2] == (-3.2, -3.0)
    assert bounds[-1] == 4.2
    assert 0.0 in bounds
    assert 0.0 in bucket_bounds(ReferenceRange(0.0, None, 0.0))


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1))
def test_bounds_ascend_and_hold_what_they_are_made_for(values: list[float]) -> None:
    positive = [value for value in values if value > 0]
    bounds = bucket_bounds(ReferenceRange(min(values), min(positive, default=None), max(values)))
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) <= MOST_BOUNDS
    # The largest and the smallest floats have nothing beyond them.
    if bounds != DEFAULT_BOUNDS and all(1e-300 < abs(value) < 1e300 for value in values):
        assert bounds[0] < min(values)
        assert bounds[-1] > max(values)


def test_the_series_has_ten_steps_a_decade() -> None:
    for number, preferred in enumerate(RENARD):
        assert preferred == pytest.approx(10 ** (number / 10), rel=0.015)
