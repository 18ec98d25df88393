from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.api import DataError, Lesson

PICTURES = np.zeros((2, 8, 12, 3), dtype=np.uint8)


def lesson(pictures: Any) -> Lesson:
    return Lesson("stripes", "Crops with stripes.", taught_as="normal", proliv=False, pictures=pictures)


@pytest.mark.parametrize("channels", [3, 4])
def test_pictures_of_the_detectors_size_are_taken(channels: int) -> None:
    lesson(np.zeros((1, 8, 12, channels), dtype=np.uint8)).check((8, 12))


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        (PICTURES.tolist(), "must be an array of uint8"),
        (PICTURES / 255, "must be an array of uint8"),
        (PICTURES[0], r"the shape \(M, 8, 12, 3 or more\), M > 0, got \(8, 12, 3\)"),
        (PICTURES[:0], r"got \(0, 8, 12, 3\)"),
        (PICTURES[:, :4], r"got \(2, 4, 12, 3\)"),
        (PICTURES[..., :1], r"got \(2, 8, 12, 1\)"),
    ],
)
def test_anything_else_is_refused_by_the_kinds_name(pictures: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=f"^the pictures of 'stripes' .*{sentence}"):
        lesson(pictures).check((8, 12))
