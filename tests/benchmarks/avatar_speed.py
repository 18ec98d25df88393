"""A processor's time for avatars, beside the published way, a Python loop over every channel of every pixel.

python -m tests.benchmarks.avatar_speed FOLDER_OF_IMAGES
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generators.avatars import MODELS, make_model, read_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plain_loop(sources: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One picture of the model `channel`: count the values of a channel of a pixel, draw one by its share."""
    generator = random.Random(seed)
    _, height, width, channels = sources.shape
    picture = np.empty((height, width, channels), dtype=np.uint8)
    for row in range(height):
        for column in range(width):
            for channel in range(channels):
                counts = Counter(sources[:, row, column, channel].tolist())
                picture[row, column, channel] = generator.choices(list(counts), list(counts.values()))[0]
    return picture


def main() -> None:
    sources = read_sources(Path(sys.argv[1])).pixels
    started = time.process_time()
    plain_loop(sources, 1)
    loop = 5 * (time.process_time() - started)
    print(f"plain loop, 5 avatars {sources.shape[1:]} of {len(sources)} images: {loop:.2f} s of a processor (5 x one)")
    for name in MODELS:
        seconds = []
        for _ in range(5):
            started = time.process_time()
            model = make_model(name, sources)
            learnt = time.process_time()
            for number in range(5):
                model.sample(np.random.default_rng([1, number]))
            seconds.append((time.process_time() - started, learnt - started))
        total, learning = min(seconds)
        print(f"{name}: {total:.3f} s, of which learning {learning:.3f} s; {loop / total:.0f} times quicker")


if __name__ == "__main__":
    main()
