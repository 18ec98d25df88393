from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from plugins.detectors.residuals import residual_features
from plugins.pictures.cells import padded

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("channels_first", [False, True])
def test_residual_features_are_what_they_are_said_to_be(channels_first: bool, count: int) -> None:
    generator = np.random.default_rng(0)
    pictures = generator.uniform(size=(2, count, 8, 12, 3)).astype(np.float32)
    view, restored = pictures[0], pictures[1]
    if channels_first:
        # As a network's tensors may lie in memory.
        view, restored = (
            np.ascontiguousarray(part.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1) for part in (view, restored)
        )
    before = view.copy(), restored.copy()
    features = residual_features(view, restored, 4)
    assert features.shape == (count, 6, 5)
    assert features.dtype == np.float32
    error = (view - restored).astype(np.float64)
    slopes: Any = np.gradient(padded(view.mean(axis=3)), axis=(1, 2))
    down, across = (slope[:, 1:-1, 1:-1] for slope in slopes)
    red, green, blue = np.moveaxis(error, 3, 0)
    expected = [
        np.log(means((error**2).mean(axis=3)) + 1e-6),
        np.log(means(down**2 + across**2) + 1e-6),
        means(error.mean(axis=3)),
        means(red - green),
        means(blue - (red + green) / 2),
    ]
    np.testing.assert_allclose(features, np.stack(expected, axis=2), rtol=1e-4, atol=1e-6)
    assert (view == before[0]).all()
    assert (restored == before[1]).all()


def means(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mean of each cell of 4 x 4 pixels: (N, 8, 12) -> (N, 6)."""
    cells: NDArray[np.floating] = values.reshape(-1, 2, 4, 3, 4).mean(axis=(2, 4)).reshape(-1, 6)
    return cells


def test_residual_features_keep_the_sign_of_a_strange_colour() -> None:
    view = np.full((1, 8, 8, 3), 0.5, dtype=np.float32)
    bluer, redder = view.copy(), view.copy()
    bluer[..., 2] += 0.1
    redder[..., 0] += 0.1
    blue, red = residual_features(bluer, view, 4)[0], residual_features(redder, view, 4)[0]
    np.testing.assert_allclose(blue[0, 2:], [0.1 / 3, 0, 0.1], atol=1e-6)
    np.testing.assert_allclose(red[0, 2:], [0.1 / 3, 0.1, -0.05], atol=1e-6)
    assert blue[0, 0] == pytest.approx(red[0, 0])
