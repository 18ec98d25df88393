"""Draws styles at random: a few in plain Python, many with numpy, exactly the same ones either way."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Parents: TypeAlias = Sequence[int | None]
    Table: TypeAlias = Sequence[Sequence[float]]

# From this many styles on, numpy saves more time than its import takes.
MANY: Final = 20_000

# How many numbers numpy draws at once, so that memory stays small.
_DRAWN_AT_ONCE: Final = 2**20


def draw(
    parents: Parents, tables: Sequence[Table], order: Sequence[int], count: int, seed: int | None
) -> Iterator[tuple[int, ...]]:
    """Draw ``count`` styles, each as the places of its attributes' values.

    ``parents``, ``tables`` and ``order`` as `generators.styles.search.best_first` has them. Each style takes one number
    in [0, 1) for each attribute, in the order of the attributes, from the Mersenne Twister with this ``seed``.
    """
    sums = [[_cumulated(row) for row in table] for table in tables]
    draw_them = _draw_few if count < MANY else _draw_many
    return draw_them(parents, sums, order, count, random.Random(seed))


def _draw_few(
    parents: Parents, sums: Sequence[Table], order: Sequence[int], count: int, generator: random.Random
) -> Iterator[tuple[int, ...]]:
    for _ in range(count):
        numbers = [generator.random() for _ in parents]
        places = [0] * len(parents)
        for attribute in order:
            parent = parents[attribute]
            row = sums[attribute][0 if parent is None else places[parent]]
            places[attribute] = bisect_right(row, numbers[attribute])
        yield tuple(places)


def _draw_many(
    parents: Parents, sums: Sequence[Table], order: Sequence[int], count: int, generator: random.Random
) -> Iterator[tuple[int, ...]]:
    import numpy as np

    # numpy's older generator is the same as Python's, and continues with the same numbers from the same state.
    *words, position = generator.getstate()[1]
    source = np.random.RandomState()
    source.set_state(("MT19937", np.array(words, dtype=np.uint32), position, 0, 0.0))
    at_once = max(_DRAWN_AT_ONCE // len(parents), 1)
    for first in range(0, count, at_once):
        numbers = source.random_sample((min(at_once, count - first), len(parents)))
        columns: list[Any] = [None] * len(parents)
        for attribute in order:
            rows, parent = sums[attribute], parents[attribute]
            if parent is None:
                columns[attribute] = np.searchsorted(rows[0], numbers[:, attribute], side="right")
                continue
            columns[attribute] = np.empty(len(numbers), dtype=np.intp)
            for value in np.unique(columns[parent]):
                same = columns[parent] == value
                columns[attribute][same] = np.searchsorted(rows[value], numbers[same, attribute], side="right")
        yield from zip(*(column.tolist() for column in columns), strict=True)


def _cumulated(row: Sequence[float]) -> list[float]:
    """Sums up to each value, 1 from the last possible one on, so that rounding never leads to an impossible one."""
    sums = list(accumulate(row))
    last = max((index for index, probability in enumerate(row) if probability > 0), default=0)
    return sums[:last] + [1.0] * (len(row) - last)
