"""From the samples of a TIFF to colours of 8 bits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from monitor.crops.formats import tiff_tags
from monitor.crops.formats.samples import as_three_channels, scaled_floats, scaled_integers, to_eight_bits
from monitor.crops.formats.tiff_layout import FLOAT, ICC_LAB, INKS, LAB, PALETTE, SIGNED, UNSIGNED, WHITE_IS_ZERO
from monitor.crops.refusals import unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.crops.formats.tiff_layout import Layout
    from monitor.crops.formats.tiff_tags import Directory

# How microscopes tell the depth of a camera, in the description (OME-XML).
_SIGNIFICANT: Final = re.compile(rb'SignificantBits="(\d{1,2})"')


def rgb_of(values: NDArray[Any], directory: Directory, layout: Layout) -> NDArray[np.uint8]:
    """Samples, (h, w, `Layout.kept`), as RGB: uint8 (h, w, 3)."""
    return _in_colour(_eight_bits(values, directory, layout), directory, layout)


def _eight_bits(values: NDArray[Any], directory: Directory, layout: Layout) -> NDArray[np.uint8]:
    if layout.photometric in {PALETTE, LAB, ICC_LAB}:
        return values.astype(np.uint8)
    bits = layout.bits
    if layout.kind == FLOAT:
        return scaled_floats(values)
    if layout.kind == SIGNED:
        bits -= 1
        values = np.maximum(values, 0).view(values.dtype.str.replace("i", "u"))
    if layout.bits > 16:
        return scaled_integers(values, bits)
    told = _told_bits(directory)
    if layout.kind == UNSIGNED and 8 <= told < bits and values.max() < 1 << told:
        bits = told
    return to_eight_bits(values, bits)


def _told_bits(directory: Directory) -> int:
    """How many of a sample's bits count, where that is told: by the highest value there may be, or in words."""
    highest = directory.number(tiff_tags.HIGHEST_VALUE, 0)
    if highest & (highest + 1) == 0 and highest > 0:
        return highest.bit_length()
    words = _SIGNIFICANT.search(directory.text(tiff_tags.DESCRIPTION))
    return int(words[1]) if words else 0


def _in_colour(values: NDArray[np.uint8], directory: Directory, layout: Layout) -> NDArray[np.uint8]:
    if layout.multiplied:
        alpha = values[..., -1:].astype(np.uint16)
        # Where it is 0, nothing was left of the colours.
        restored = np.minimum(values[..., :-1] * np.uint16(255) // np.maximum(alpha, 1), 255)
        values = np.where(alpha == 0, values[..., :-1], restored).astype(np.uint8)
    if layout.photometric == WHITE_IS_ZERO:
        values = 255 - values
    if layout.photometric == PALETTE:
        return _palette(directory, layout)[values[..., 0]]
    if layout.photometric == INKS:
        return _converted(values, "CMYK")
    if layout.photometric == ICC_LAB:
        # Here a* and b* begin at 0; Pillow reads them as signed.
        values = values ^ np.array([0, 128, 128], np.uint8)
    if layout.photometric in {LAB, ICC_LAB}:
        return _converted(values, "LAB")
    return as_three_channels(values)


def _palette(directory: Directory, layout: Layout) -> NDArray[np.uint8]:
    """The colours of a palette: uint8 (256, 3)."""
    entries = 1 << layout.bits
    numbers = directory.numbers(tiff_tags.COLOUR_MAP)
    if len(numbers) < 3 * entries or max(numbers) > 65_535:
        raise unsupported("TIFF", "a palette without all its colours")
    # Some writers give 8 bits in the place of 16.
    colours = np.array(numbers[: 3 * entries]).reshape(3, entries).T >> (0 if max(numbers) < 256 else 8)
    palette = np.zeros((256, 3), np.uint8)
    palette[:entries] = colours
    return palette


def _converted(values: NDArray[np.uint8], mode: str) -> NDArray[np.uint8]:
    """What Pillow makes of colours that are no RGB."""
    height, width = values.shape[:2]
    return np.array(Image.frombytes(mode, (width, height), values.tobytes()).convert("RGB"))
