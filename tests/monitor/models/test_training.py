from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.crops.in_memory import ReadCrops
from monitor.errors import DataError
from monitor.models.training import split, subset
from monitor.words import Identity

PATHS = [Path(f"{number:03}.jpg") for number in range(100)]


def crops(count: int) -> ReadCrops:
    generator = np.random.default_rng(0)
    pixels = [generator.integers(0, 256, (24, 46, 3), dtype=np.uint8) for _ in range(count)]
    identities = [Identity(number, None, None) for number in range(count)]
    return ReadCrops(pixels, identities, [f"{number:064}" for number in range(count)])


@pytest.mark.parametrize("limit", [None, 100, 101])
def test_all_paths_are_taken_where_there_are_no_more_than_the_limit(limit: int | None) -> None:
    assert subset(PATHS, limit, seed=0) == PATHS


def test_a_subset_is_drawn_by_the_seed_and_keeps_the_order() -> None:
    first, again, other = subset(PATHS, 10, 1), subset(PATHS, 10, 1), subset(PATHS, 10, 2)
    assert first == again == sorted(first)
    assert len(set(first)) == 10
    assert first != other


def test_each_crop_is_either_trained_on_or_held_out() -> None:
    everything = crops(40)
    data = split(everything, share=0.25, seed=3)
    assert len(data.validation.pixels) == 10
    assert sorted(data.train.digests + data.validation.digests) == everything.digests
    assert [f"{hole:064}" for hole in data.validation.holes] == data.validation.digests


def test_too_few_crops_to_hold_any_out_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2 are needed"):
        split(crops(1), share=0.25, seed=0)
