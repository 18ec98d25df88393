"""Measures for `monitor bench` the processor time of styles and avatars, and of a plain loop beside them."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from generators.avatars.models import MODELS, embedded_sources, make_model
from generators.styles.sampling import StyleModel, default_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

STYLES: Final = 1_000_000
AVATARS: Final = 5
# (width, height) of the avatars in pixels; learned from a dozen made-up faces.
SIZE: Final = (528, 560)
# The plain loop goes through one row in this many.
ROWS_SHARE: Final = 16


def styles(seed: int) -> dict[str, float]:
    """Draw a million styles from the built-in table."""
    model = StyleModel.independent(default_table())

    def draw() -> None:
        for _ in model.sample(STYLES, seed=seed):
            pass

    return {"million_styles_seconds": _seconds(draw)}


def avatars(seed: int) -> dict[str, float]:
    """Learn and draw five avatars by each model; ``*_ratio``: how many times as long a plain loop takes for them."""
    sources = embedded_sources(SIZE).pixels
    part = sources[:, ::ROWS_SHARE]
    rows_share = sources.shape[1] / part.shape[1]
    loop = AVATARS * rows_share * _seconds(lambda: plain_loop(part, seed))
    figures = {"plain_loop_seconds": loop}
    for name in MODELS:
        seconds = _seconds(lambda name=name: _draw(name, sources, seed))  # type: ignore[misc]
        figures |= {f"{name}_seconds": seconds, f"{name}_ratio": loop / seconds}
    return figures


def plain_loop(sources: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One picture of the model `channel`, the plain way: count the values of a channel of a pixel, draw one by them.

    ``sources``: uint8 (N, H, W, C); returns uint8 (H, W, C).
    """
    generator = random.Random(seed)
    _, height, width, channels = sources.shape
    picture = np.empty((height, width, channels), dtype=np.uint8)
    for row in range(height):
        for column in range(width):
            for channel in range(channels):
                counts = Counter(sources[:, row, column, channel].tolist())
                picture[row, column, channel] = generator.choices(list(counts), list(counts.values()))[0]
    return picture


def _draw(name: str, sources: NDArray[np.uint8], seed: int) -> None:
    model = make_model(name, sources)
    for number in range(AVATARS):
        model.sample(np.random.default_rng([seed, number]))


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
