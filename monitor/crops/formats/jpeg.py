"""JPEG: decoded by libjpeg-turbo, the library and the settings of Pillow, in a seventh of the time.

The library goes on after what it takes for damage, with a warning and wrong pixels. Here a warning is a refusal, but
for two that say nothing about the pixels: zeros that fill up the space before the end mark, and damaged metadata. What
a camera usually writes is decoded at once; everything else is taken apart first (`monitor.crops.formats.jpeg_parts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg
from PIL import Image

from monitor.crops.formats.jpeg_parts import END, LONGEST_ZEROS, JpegParts, plain_header, take_apart
from monitor.crops.formats.orientation import orientation_of, upright
from monitor.crops.refusals import damaged, too_costly, truncated, unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.crops.refusals import Limits

# By the library's names, the colour models that it converts to RGB, and those that only Pillow does.
_TO_RGB: Final = frozenset({"YCbCr", "RGB", "Gray"})
_INKS: Final = frozenset({"CMYK", "YCCK"})

# No encoder writes more scans than this; more are refused however small the picture is.
MOST_SCANS: Final = 100

# How the library's messages begin about what it cannot decode, though nothing is wrong with the file.
_NOT_DECODED: Final = (
    "Unsupported JPEG",
    "Unsupported color",
    "Sorry",
    "Arithmetic",
    "Fractional",
    "CCIR601",
    "Not implemented",
    "Requested feature",
    "Empty JPEG image",
    "Could not determine",
    "Invalid color",
)


def decode_jpeg(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Decode a JPEG: uint8 (h, w, 3), RGB, upright. Colour profiles are ignored."""
    header = plain_header(data)
    if header is not None:
        width, height, data_start = header
        limits.check_size(width, height)
        try:
            pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", strict=True)
        except ValueError:
            pass  # it is looked into below
        else:
            if data.find(LONGEST_ZEROS, data_start) < 0:
                return pixels
    return _decode_parts(take_apart(data), limits)


def _decode_parts(parts: JpegParts, limits: Limits) -> NDArray[np.uint8]:
    limits.check_size(parts.width, parts.height)
    scans = len(parts.scans)
    if scans > MOST_SCANS:
        raise too_costly("JPEG", f"{scans:,} scans, more than {MOST_SCANS}")
    limits.check_passes("JPEG", parts.width, parts.height, scans)
    if not parts.ended and not parts.has_all_scans():
        raise truncated("JPEG")
    streams = [parts.stream, parts.stream_without_fill]
    if not parts.ended:
        # Then zeros at the end may be space that was reserved and not written to. It lacks at least the end mark; as
        # few zeros as that may also be the last data.
        reserved = len(streams[0]) - len(streams[1]) > len(END)
        streams = streams[1:] if reserved else streams[::-1]
    complaint = ""
    for stream in dict.fromkeys(streams):
        try:
            pixels = _strictly_decoded(stream + END, parts)
        except ValueError as error:
            complaint = complaint or str(error)
            continue
        if parts.has_zeros_for_data(stream):
            raise damaged("JPEG", "zeros stand in the place of data")
        return upright(pixels, orientation_of(parts.exif, parts.xmp))
    if not parts.ended:
        raise truncated("JPEG")
    raise (unsupported if complaint.startswith(_NOT_DECODED) else damaged)("JPEG", complaint)


def _strictly_decoded(stream: bytes, parts: JpegParts) -> NDArray[np.uint8]:
    """Decode a stream; raises `ValueError` with the library's first warning or its error."""
    colours = simplejpeg.decode_jpeg_header(stream, strict=True)[2]
    if colours in _TO_RGB:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(stream, "RGB", strict=True)
        return pixels
    if colours not in _INKS:
        raise unsupported("JPEG", f"its colours are {colours}")
    if not parts.has_adobe_mark:
        # Some programs take them for inverted and some do not.
        raise unsupported("JPEG", "its colours are inks, without Adobe's mark, which says that they are inverted")
    inks = 255 - simplejpeg.decode_jpeg(stream, "CMYK", strict=True)
    height, width = inks.shape[:2]
    return np.array(Image.frombytes("CMYK", (width, height), inks.tobytes()).convert("RGB"))
