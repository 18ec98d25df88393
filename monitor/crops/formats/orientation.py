"""Which way up a picture is, by its EXIF data or else its XMP data, and turning it."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# What a picture has that needs no turning, and what counts where neither kind of data says anything.
UPRIGHT: Final = 1

# EXIF data in the form of JPEG begin with this, and in WebP and PNG some writers keep it.
EXIF_HEAD: Final = b"Exif\0\0"
# How XMP data are marked in a JPEG, and in a PNG.
XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
XMP_KEYWORD: Final = b"XML:com.adobe.xmp"

# As an attribute, or as an element, which may have attributes of its own. Bounded, so that no text takes long.
_IN_XMP: Final = re.compile(
    rb"tiff:Orientation(?:\s{0,20}=\s{0,20}[\"']\s{0,20}|[^<>]{0,200}>\s{0,200})([1-8])\s{0,200}[\"'<]"
)

# The tag of EXIF and TIFF, and the types of integers that writers give it, by the codes of `struct`.
ORIENTATION: Final = 274
_INTEGERS: Final = {1: "B", 3: "H", 4: "I"}

# By the value of the tag, what turns the picture upright: (height, width, channels) -> the same or turned.
_TURNS: Final[dict[int, Callable[[Pixels], Pixels]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn a picture, uint8 (h, w, 3), as its orientation (1-8) says; the result is C-contiguous."""
    turn = _TURNS.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """The orientation (1-8) that EXIF data tell, or else XMP data, or else 1; damaged data tell nothing."""
    return _of_exif(exif or b"") or of_xmp(xmp or b"") or UPRIGHT


def _of_exif(exif: bytes) -> int | None:
    exif = exif.removeprefix(EXIF_HEAD)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", exif, entry)
        if tag == ORIENTATION and kind in _INTEGERS and values == 1:
            (value,) = struct.unpack_from(f"{order}{_INTEGERS[kind]}", exif, entry + 8)
            return value if UPRIGHT <= value <= 8 else None
    return None


def of_xmp(xmp: bytes) -> int | None:
    """The orientation (1-8) that XMP data tell; None where they tell none."""
    # In UTF-16 every second byte of it is empty.
    found = _IN_XMP.search(xmp.replace(b"\0", b""))
    return None if found is None else int(found[1])
