from __future__ import annotations

from itertools import count

import pytest

from monitor.files.chunks import chunks


@pytest.mark.parametrize(
    ("items", "expected"),
    [([], []), ([1], [[1]]), ([1, 2], [[1, 2]]), ([1, 2, 3], [[1, 2], [3]]), ([1, 2, 3, 4], [[1, 2], [3, 4]])],
)
def test_the_last_chunk_is_shorter_and_none_is_empty(items: list[int], expected: list[list[int]]) -> None:
    assert list(chunks(items, 2)) == expected
    assert list(chunks(iter(items), 2)) == expected


def test_no_more_is_taken_than_the_next_chunk_needs() -> None:
    numbers = count()
    assert next(chunks(numbers, 3)) == [0, 1, 2]
    assert next(numbers) == 3
