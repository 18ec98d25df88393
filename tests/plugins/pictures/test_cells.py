from __future__ import annotations

import numpy as np
import pytest

from plugins.pictures.cells import Neighbours, padded, pool, pool_neighbours


def test_pooling_is_the_mean_of_each_cell_row_by_row() -> None:
    values = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    assert pool(values, 2).tolist() == [[3.5, 5.5, 7.5, 15.5, 17.5, 19.5]]


@pytest.mark.parametrize("cell", [2, 3, 4, 5])
def test_pooling_takes_several_pictures_of_each_crop_and_any_cell(cell: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 2 * cell, 4 * cell)).astype(np.float32)
    expected = values.reshape(2, 3, 2, cell, 4, cell).mean(axis=(3, 5)).reshape(2, 3, 8)
    np.testing.assert_allclose(pool(values, cell), expected, rtol=1e-5, atol=1e-6)


def test_the_pixels_around_are_those_of_the_same_picture() -> None:
    generator = np.random.default_rng(0)
    pictures = generator.normal(size=(3, 8, 10)).astype(np.float32)
    pixels = Neighbours(pictures)
    down, across = pixels.squared_slopes()
    (detail,) = pixels.squared_detail()
    above, left, below, right = (
        pictures[:, :-2, 1:-1],
        pictures[:, 1:-1, :-2],
        pictures[:, 2:, 1:-1],
        pictures[:, 1:-1, 2:],
    )
    np.testing.assert_allclose(down[:, :-2, :-2], (below - above) ** 2, rtol=1e-6)
    np.testing.assert_allclose(across[:, :-2, :-2], (right - left) ** 2, rtol=1e-6)
    curvature = 4 * pictures[:, 1:-1, 1:-1] - above - left - below - right
    np.testing.assert_allclose(detail[:, :-2, :-2], curvature**2, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(pool_neighbours(down, 2), pool(down[:, :-2, :-2], 2))


def test_a_border_repeats_the_edge() -> None:
    pictures = np.random.default_rng(0).normal(size=(2, 5, 7)).astype(np.float32)
    np.testing.assert_array_equal(padded(pictures), np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge"))
