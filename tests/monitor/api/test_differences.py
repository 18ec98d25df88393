from __future__ import annotations

import numpy as np
import pytest

from monitor.api import mean_squared_errors, squared_error_maps


@pytest.mark.parametrize("channels", [3, 4])
def test_errors_are_means_over_the_colours_and_then_over_the_pixels(channels: int) -> None:
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (5, 8, 12, channels), dtype=np.uint8)
    pictures = generator.random((5, 8, 12, 3), dtype=np.float32)
    expected = np.square(crops[..., :3] / 255 - pictures).mean(axis=3)
    maps, errors = squared_error_maps(crops, pictures), mean_squared_errors(crops, pictures)
    assert maps.dtype == errors.dtype == np.float32
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(errors, expected.mean(axis=(1, 2)), rtol=1e-5)


def test_one_picture_may_stand_for_all() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)
    mean = (crops.mean(axis=0) / 255).astype(np.float32)
    np.testing.assert_array_equal(mean_squared_errors(crops, mean), mean_squared_errors(crops, np.stack([mean] * 4)))
    assert mean_squared_errors(crops[:0], mean).shape == (0,)


def test_an_equal_picture_has_no_error() -> None:
    crops = np.full((2, 8, 8, 3), 51, dtype=np.uint8)
    assert mean_squared_errors(crops, np.full((8, 8, 3), 51 / 255, dtype=np.float32)).tolist() == [0, 0]
