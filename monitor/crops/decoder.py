"""Tells the accepted formats apart, and decodes the bytes of an image file to RGB pixels."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from monitor.crops.formats.bmp import decode_bmp
from monitor.crops.formats.jpeg import decode_jpeg
from monitor.crops.formats.png import SIGNATURE_HEAD, decode_png
from monitor.crops.formats.tiff import decode_tiff
from monitor.crops.formats.webp import decode_webp, has_announced_length

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from monitor.crops.refusals import Limits

# Pillow refuses to open an image of more pixels, so a higher limit could not be kept.
LARGEST_PIXEL_LIMIT: Final = 178_956_970

_HEADS: Final = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(re.escape(SIGNATURE_HEAD))),
    ("BMP", re.compile(rb"BM")),
    ("WEBP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
)
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"

_DECODERS: Final[dict[str, Callable[[bytes, Limits], NDArray[np.uint8]]]] = {
    "JPEG": decode_jpeg,
    "PNG": decode_png,
    "BMP": decode_bmp,
    "WEBP": decode_webp,
    "TIFF": decode_tiff,
}


def format_of(data: bytes) -> str | None:
    """Return Pillow's name of the accepted format that the data begin like, or None."""
    return next((image_format for image_format, head in _HEADS if head.match(data)), None)


def has_ended(data: bytes, image_format: str) -> bool | None:
    """Tell whether the data carry their format's end mark at their very end; None for a format that has none.

    BMP and WebP announce their length in their header, but a writer that reserves the length first has it before
    the pixels are there, so that reaching it shows too little and falling short of it enough.
    """
    match image_format:
        case "JPEG":
            return data.endswith(b"\xff\xd9")
        case "PNG":
            return data.endswith(_PNG_END)
        case "BMP":
            return None if data[2:6] == struct.pack("<I", len(data) & 0xFFFFFFFF) else False
        case "WEBP":
            return None if has_announced_length(data) else False
    return None


def decode_rgb(data: bytes, image_format: str, limits: Limits) -> NDArray[np.uint8]:
    """Decode the first picture: uint8 (h, w, 3), RGB, C-contiguous, writable, upright.

    The same picture gives the same pixels in each format and each way to write it, but for what the format loses.
    Raises `CropRefusedError` for what cannot be decoded for sure, and anything for damaged data.
    """
    return _DECODERS[image_format](data, limits)
