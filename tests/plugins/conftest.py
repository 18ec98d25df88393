"""Crops and checks that the tests of several detectors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from monitor.api import DataError, Detector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DARK, LIGHT = np.array([80, 100, 90]), np.array([120, 150, 135])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks gain nothing from more threads, and on a busy machine the threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def crops(count: int, seed: int = 0, *, roughness: float = 12, light: float = 1.0) -> list[NDArray[np.uint8]]:
    """Bright, rough ellipses in a dark frame, moved and lit differently, with a little noise: uint8 (28, 48, 3)."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:28, 0:48]
    pictures = []
    for _ in range(count):
        top, left = generator.uniform(-2, 2, size=2)
        inside = ((rows - 14 - top) / 10) ** 2 + ((columns - 24 - left) / 16) ** 2 < 1
        rough = np.kron(generator.normal(0, roughness, size=(14, 24)), np.ones((2, 2)))[..., None]
        colour = np.where(inside[..., None], LIGHT + rough, DARK) * generator.uniform(0.9, 1.1)
        noise = generator.normal(0, 2, size=(28, 48, 1))
        pictures.append((light * (colour + noise)).clip(0, 255).astype(np.uint8))
    return pictures


def bleed_outs(count: int) -> list[NDArray[np.uint8]]:
    """Chaotic and coloured in the middle."""
    generator = np.random.default_rng(99)
    pictures = crops(count, seed=98)
    for picture in pictures:
        patch = np.kron(generator.integers(0, 256, size=(4, 6, 3)), np.ones((3, 3, 1)))
        picture[8:20, 15:33] = patch.astype(np.uint8)
    return pictures


def assert_it_says_that_it_is_untrained(detector: Detector, folder: Path) -> None:
    batch = np.zeros((1, *detector.input_size, 3), dtype=np.uint8)
    for use in (detector.score, detector.reconstruct, detector.latent):
        with pytest.raises(DataError, match="not been trained"):
            use(batch)
    with pytest.raises(DataError, match="not been trained"):
        detector.save(folder)
