"""Makes up crops where no real ones can be had: holes, and metal that runs out of one, on pictures that show none."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

# Of a made-up hole, in pixels: the size of real crops.
HEIGHT: Final = 28
WIDTH: Final = 50
# How large the metal is as a share of the picture's shorter side, from a splash to a flood.
SIZES: Final = (0.35, 0.6, 0.9)
# Glowing metal, as RGB: nearly white, yellow and orange.
COLOURS: Final = ((255, 250, 235), (255, 225, 120), (250, 150, 60))
HOLES: Final = 8


def png(pixels: Picture) -> bytes:
    """A picture, uint8 (h, w, 3), as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def holes() -> Iterator[Picture]:
    """Holes with a rim in different light, uint8 (HEIGHT, WIDTH, 3); always the same ones."""
    generator = np.random.default_rng(0)
    down, across = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    distance = np.hypot(down, across * 1.4)
    rim = np.exp(-(((distance - 0.8) / 0.12) ** 2))
    for light in np.linspace(0.5, 1.5, HOLES):
        grain = generator.normal(0, 4, (HEIGHT, WIDTH, 1))
        yield np.clip(np.repeat((90 + 40 * rim)[..., None], 3, axis=2) * light + grain, 0, 255).astype(np.uint8)


def bleed_outs(picture: Picture) -> Iterator[Picture]:
    """The same picture with metal running out of its middle, in several sizes and colours; uint8 (h, w, 3)."""
    height, width = picture.shape[:2]
    for size in SIZES:
        mask = _stream(width, height, size)
        for colour in COLOURS:
            glow = Image.new("RGB", (width, height), colour)
            yield np.asarray(Image.composite(glow, Image.fromarray(picture), mask), dtype=np.uint8)


def _stream(width: int, height: int, size: float) -> Image.Image:
    """Where the metal is: a blob in the middle that runs down to the edge, with a soft outline."""
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    radius = max(2.0, size * min(width, height) / 2)
    middle = (width / 2, height / 2)
    draw.ellipse((middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius), fill=255)
    run = radius * 0.6
    draw.rectangle((middle[0] - run, middle[1], middle[0] + run, height), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(max(0.5, radius / 8)))
