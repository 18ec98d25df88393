"""Alters crops as a plant might: compressed harder, the camera knocked, other light, another white balance.

`monitor evaluate --robustness` measures on each alteration and on the crops as they are. A detector that has learned
one camera's exact pixels is found out here before it fails in the foundry.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from monitor.crops.in_memory import ReadCrops


def jpeg(pixels: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    """A crop, uint8 (h, w, 3), after another JPEG compression of this quality (1-95)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def shift(pixels: NDArray[np.uint8], *, down: int, right: int) -> NDArray[np.uint8]:
    """A crop, uint8 (h, w, 3), moved by this many pixels; what comes into view repeats the edge."""
    height, width = pixels.shape[:2]
    around = max(abs(down), abs(right))
    wider = np.pad(pixels, ((around, around), (around, around), (0, 0)), mode="edge")
    return wider[around - down : around - down + height, around - right : around - right + width]


def light(pixels: NDArray[np.uint8], *, factor: float) -> NDArray[np.uint8]:
    """A crop, uint8 (h, w, 3), with every intensity times ``factor``, cut off at white."""
    return (pixels * factor).round().clip(0, 255).astype(np.uint8)


def white_balance(pixels: NDArray[np.uint8], *, red: float, blue: float) -> NDArray[np.uint8]:
    """A crop, uint8 (h, w, 3), with its red and its blue times these factors, cut off at full intensity."""
    tinted: NDArray[np.uint8] = (pixels * np.array([red, 1.0, blue])).round().clip(0, 255).astype(np.uint8)
    return tinted


# What is done to the crops, by name; the numbers are the JPEG quality, pixels, and per cent of light, or of red and
# blue in opposite directions.
ALTERATIONS: Final[Mapping[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "jpeg-60": partial(jpeg, quality=60),
    "left-3": partial(shift, down=0, right=-3),
    "right-3": partial(shift, down=0, right=3),
    "up-3": partial(shift, down=-3, right=0),
    "down-3": partial(shift, down=3, right=0),
    "darker-15": partial(light, factor=0.85),
    "brighter-15": partial(light, factor=1.15),
    "warmer-8": partial(white_balance, red=1.08, blue=0.92),
    "colder-8": partial(white_balance, red=0.92, blue=1.08),
}


def altered(crops: ReadCrops, name: str) -> ReadCrops:
    """The crops after one of the `ALTERATIONS`."""
    return replace(crops, pixels=[ALTERATIONS[name](pixels) for pixels in crops.pixels])
