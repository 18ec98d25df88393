"""Bounds of histogram buckets that fit a model's scores.

The bounds are numbers of the Renard series R10 (ISO 3: ten steps in a decade, each about 26 % above the one before), so
that the same references always give the same bounds, and similar references give similar bounds.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.references import ReferenceRange

RENARD: Final = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
STEPS: Final = len(RENARD)
MOST_BOUNDS: Final = 40
# The smallest span, as a share of the scores themselves, that bounds at equal distances are made for.
NARROWEST: Final = 1e-6
# For a model without references, whose scores may be of any size.
DEFAULT_BOUNDS: Final = tuple(float(f"{base}e{exponent}") for exponent in range(-5, 3) for base in (1, 2, 5))


def bucket_bounds(scores: ReferenceRange | None) -> tuple[float, ...]:
    """At most `MOST_BOUNDS` ascending bounds, from a step below the lowest score to a step above the highest."""
    if scores is None or not math.isfinite(scores.highest - scores.lowest):
        return DEFAULT_BOUNDS
    if scores.lowest < 0 or scores.lowest_positive is None:
        return _even(scores.lowest, scores.highest)
    # A score of 0 has no place on a logarithmic scale; it counts below the lowest bound.
    return _logarithmic(scores.lowest_positive, scores.highest)


def _logarithmic(lowest: float, highest: float) -> tuple[float, ...]:
    """Numbers of the series, or every second, fifth, tenth and so on of them if there are too many."""
    for step in _strides():
        first = (_index_below(lowest) // step - 1) * step
        last = (-(-_index_above(highest) // step) + 1) * step
        if (last - first) // step < MOST_BOUNDS:
            # Numbers beyond the range of floats are left out at both ends.
            bounds = (_number(index) for index in range(first, last + 1, step))
            return tuple(bound for bound in bounds if 0 < bound < math.inf)
    raise AssertionError("some stride always fits")


def _even(lowest: float, highest: float) -> tuple[float, ...]:
    """Multiples of a distance that is a number of the series."""
    # For scores that are nearly the same, the bounds must still differ when they are printed.
    span = max(highest - lowest, NARROWEST * max(-lowest, highest)) or 1.0
    # Leaves room for both ends, a step beyond each, and the rounding of the ends to whole steps.
    least = span / (MOST_BOUNDS - 5)
    if not least:
        return DEFAULT_BOUNDS  # the span is the smallest float there is
    distance = _number(_index_above(least))
    first, last = math.floor(lowest / distance) - 1, math.ceil(highest / distance) + 1
    # Rounded, so that no bound is printed as 0.30000000000000004.
    bounds = (float(f"{index * distance:.12g}") for index in range(first, last + 1))
    return tuple(bound for bound in bounds if math.isfinite(bound))


def _strides() -> Iterator[int]:
    for power in count():
        yield (1, 2, 5)[power % 3] * 10 ** (power // 3)


def _number(index: int) -> float:
    """The number of the series with this index: index 0 is 1, 10 is 10, -10 is 0.1."""
    decade, place = divmod(index, STEPS)
    return float(f"{RENARD[place]}e{decade}")


def _index_below(value: float) -> int:
    """The index of the largest number of the series that is not above ``value``, which is positive."""
    index = _index_above(value)
    return index if _number(index) == value else index - 1


def _index_above(value: float) -> int:
    """The index of the smallest number of the series that is not below ``value``, which is positive."""
    index = math.floor(math.log10(value)) * STEPS - 1
    while _number(index) < value:
        index += 1
    return index
