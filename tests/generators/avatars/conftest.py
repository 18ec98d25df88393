"""Images that the tests of several modules learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def blocks(count: int = 5, side: int = 8, channels: int = 3, seed: int = 0) -> Pixels:
    """Images of four blocks that vary apart from each other, with a few specks and many ties."""
    generator = np.random.default_rng(seed)
    palette = generator.integers(0, 256, (3, channels), dtype=np.uint8)
    corners = palette[generator.integers(0, 3, (count, 2, 2))]
    images = corners.repeat(side // 2, axis=1).repeat(side // 2, axis=2)
    specks = generator.random((count, side, side)) < 0.1
    images[specks] = palette[generator.integers(0, 3, int(specks.sum()))]
    return images
