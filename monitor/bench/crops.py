"""Made-up crops to measure with: their sizes, names and numbers of bytes are like those of real ones.

What they show does not matter: a hole with a rim, a bright middle and grain. Sizes differ from hole to hole as with
real crops, because a batch of mixed sizes costs more than one of equal sizes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

HOLES: Final = 40
# The smallest and the largest side in pixels.
HEIGHTS: Final = (24, 31)
WIDTHS: Final = (46, 53)

# The standard deviation of the noise, in levels of 256; at this quality a crop takes about 1.1 KB.
GRAIN: Final = 5.0
JPEG_QUALITY: Final = 90

FILES_IN_A_FOLDER: Final = 1000
# Naive: file names carry the camera's local time.
_FIRST: Final = datetime(2023, 3, 1, 5, 39, 27, 929_000)  # noqa: DTZ001
_CHUNK: Final = 50


def names(count: int) -> Iterator[str]:
    """File names of crops as a camera writes them, hole after hole, such as 10_CAM_C_01-03-2023_05-39-27-929.jpg."""
    for number in range(count):
        moment = _FIRST + timedelta(milliseconds=25 * number)
        yield f"{number % HOLES + 1}_CAM_C_{moment:%d-%m-%Y_%H-%M-%S}-{moment.microsecond // 1000:03d}.jpg"


def draw(count: int, seed: int) -> Iterator[bytes]:
    """The JPEG files of crops in the order of `names`; the same seed gives the same bytes."""
    generator = np.random.default_rng(seed)
    holes = [_hole(generator) for _ in range(HOLES)]
    for start in range(0, count, HOLES * _CHUNK):
        rounds = min(_CHUNK, -(-(count - start) // HOLES))
        drawn = [_crops(hole, rounds, generator) for hole in holes]
        for number in range(min(HOLES * _CHUNK, count - start)):
            yield _jpeg(drawn[number % HOLES][number // HOLES])


def write(folder: Path, count: int, seed: int) -> list[Path]:
    """Write crops into sub-folders of a new folder and return their paths."""
    paths = []
    for number, (name, content) in enumerate(zip(names(count), draw(count, seed), strict=True)):
        part = folder / f"{number // FILES_IN_A_FOLDER:04d}"
        if number % FILES_IN_A_FOLDER == 0:
            part.mkdir(parents=True)
        paths.append(part / name)
        paths[-1].write_bytes(content)
    return paths


def _hole(generator: np.random.Generator) -> NDArray[np.float32]:
    """What is the same in all crops of a hole: float32 (height, width, 3), 0-255."""
    height = int(generator.integers(*HEIGHTS, endpoint=True))
    width = int(generator.integers(*WIDTHS, endpoint=True))
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    distance = np.hypot(down, across * generator.uniform(1.2, 1.6))
    rim = np.exp(-(((distance - 0.8) / 0.12) ** 2))
    middle = 1 / (1 + np.exp((distance - 0.6) * 12))
    waves = np.sin(across * generator.uniform(4, 9) + down * generator.uniform(2, 6) + generator.uniform(0, 6))
    brightness = 70 + 50 * middle + 40 * rim + 12 * waves
    tint = generator.uniform(0.9, 1.1, 3)
    hole: NDArray[np.float32] = (brightness[..., None] * tint).astype(np.float32)
    return hole


def _crops(hole: NDArray[np.float32], count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Crops of one hole in changing light, each with grain of its own: uint8 (N, height, width, 3)."""
    light = generator.normal(1, 0.05, (count, 1, 1, 1)).astype(np.float32)
    # Without colour, like a sensor's noise once a JPEG has reduced the chroma.
    grain = generator.standard_normal((count, *hole.shape[:2], 1), dtype=np.float32) * GRAIN
    pixels: NDArray[np.uint8] = np.clip(hole * light + grain, 0, 255).astype(np.uint8)
    return pixels


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
