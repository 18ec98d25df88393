"""The same picture scores the same however it is written, or is refused with a reason: so its pixels are the same."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.support.encodings import (
    STORED,
    XMP_ATTRIBUTE,
    XMP_ELEMENT,
    bmp_of,
    exif,
    jpeg_with,
    png_of,
    riff,
    tiff_of,
    webp_with,
)
from tests.support.picture_cases import CASES, CMYK, GREY, INDICES, to_bits
from tests.support.pictures import PICTURE, decoded, encoded, refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray


# By the first words of their names, so that a run does not take longer for counting tests than for the pictures.
GROUPS: dict[str, list[str]] = {", ".join(name.split(", ")[:3]): [] for name in CASES}

for name in CASES:
    GROUPS[", ".join(name.split(", ")[:3])].append(name)


@pytest.mark.parametrize("group", GROUPS)
def test_a_picture_is_the_same_however_it_is_written(group: str) -> None:
    for name in GROUPS[group]:
        case = CASES[name]
        pixels = decoded(case.data())
        expected = np.broadcast_to(case.expected, (*case.expected.shape[:2], 3))
        assert pixels.shape == expected.shape, name
        assert np.abs(pixels.astype(int) - expected).max() <= case.tolerance, name
        assert pixels.flags.writeable, name
        assert pixels.flags.c_contiguous, name


def film_of(size: tuple[int, int]) -> bytes:
    """An animated WebP of the size of the picture, whose first picture has another size."""
    first = encoded(Image.fromarray(PICTURE).crop((0, 0, *size)), "WEBP", lossless=True)[12:]
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    canvas = bytes([2, 0, 0, 0, 23, 0, 0, 15, 0, 0])
    return riff((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", bytes(6) + sides + bytes(4) + first))


# What there is no telling the pixels of.
REFUSED = {
    "PNG, 12 bits in the place of 16 in colour": lambda: png_of(
        to_bits(PICTURE, 12) | 5, 16, 2, (b"sBIT", b"\x0c\x0c\x0c")
    ),
    "PNG of Apple's kind": lambda: png_of(PICTURE, 8, 2, (b"CgBI", b"\x50\0\x20\2")),
    "TIFF, white is 0 in floats": lambda: tiff_of(GREY.astype(np.float32), 32, 0, t339=3),
    "TIFF, signed integers with white at 0": lambda: tiff_of(GREY.astype(np.int16), 16, 0, t339=2),
    "TIFF, inks that are not the four": lambda: tiff_of(np.asarray(CMYK), 8, 5, t332=2),
    "TIFF, L*a*b* of 16 bits": lambda: tiff_of(to_bits(PICTURE, 16), 16, 8),
    "TIFF, YCbCr": lambda: tiff_of(PICTURE, 8, 6),
    "TIFF, a kind of colours that there is none of": lambda: tiff_of(PICTURE, 8, 77),
    "TIFF, samples that are not alike": lambda: tiff_of(PICTURE, 8, 2, t258=(8, 8, 16)),
    "TIFF, 24 bits": lambda: tiff_of(PICTURE, 8, 2, t258=(24, 24, 24)),
    "TIFF, differences of floats": lambda: tiff_of(PICTURE.astype(np.float32), 32, 2, t339=(3, 3, 3), t317=3),
    "TIFF, packed as faxes are": lambda: encoded(Image.fromarray(PICTURE).convert("1"), "TIFF", compression="group4"),
    "TIFF, a palette that is too short": lambda: tiff_of(INDICES[8], 8, 3, t320=(1, 2, 3)),
    "TIFF, complex numbers": lambda: tiff_of(GREY.astype(np.float32), 32, 1, t339=6),
    "BMP, a mask with a gap": lambda: bmp_of(GREY[..., 0].astype(np.int64), 32, masks=(0xF0F, 0xF000, 0xF0000)),
    "JPEG, inks without Adobe's mark": lambda: encoded(CMYK, "JPEG").replace(b"Adobe", b"adobe"),
    "WEBP, a film whose first picture does not fill it": lambda: film_of((10, 16)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_whose_pixels_cannot_be_told_is_refused(name: str) -> None:
    error = refusal(REFUSED[name]())
    assert error.reason == "undecodable"
    assert "of an unsupported kind" in str(error)


# Of blocks that JPEG keeps apart, and not square.
UPRIGHT = PICTURE[::4, ::4].repeat(16, axis=0).repeat(16, axis=1)

XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


def told_by_xmp(stored: NDArray[np.uint8], xmp: bytes) -> dict[str, bytes]:
    """A picture in every format that has XMP data, and the places where they may stand."""
    image = Image.fromarray(stored)
    return {
        "JPEG": jpeg_with(encoded(image, "JPEG", quality=100, subsampling=0), XMP_HEAD + xmp),
        "PNG": png_of(stored, 8, 2, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)),
        "PNG, packed, behind the picture": png_of(
            stored, 8, 2, behind=[(b"iTXt", b"XML:com.adobe.xmp\0\1\0ru\0XMP\0" + zlib.compress(xmp))]
        ),
        "WEBP": webp_with(encoded(image, "WEBP", lossless=True), image.size, (b"XMP ", xmp)),
        "TIFF": tiff_of(stored, 8, 2, t700=xmp),
    }


def told_by_exif(stored: NDArray[np.uint8], data: bytes, xmp: bytes) -> dict[str, bytes]:
    """The same with EXIF data, beside XMP data."""
    image = Image.fromarray(stored)
    text = b"\nexif\n      %d\n%s\n" % (len(data) + 6, (b"Exif\0\0" + data).hex().encode())
    chunks = [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)]
    return {
        "JPEG": jpeg_with(encoded(image, "JPEG", quality=100, subsampling=0), XMP_HEAD + xmp, b"Exif\0\0" + data),
        "PNG": png_of(stored, 8, 2, (b"eXIf", data), *chunks),
        "PNG, behind the picture": png_of(stored, 8, 2, *chunks, behind=[(b"eXIf", data)]),
        "PNG, as a text": png_of(stored, 8, 2, *chunks, (b"tEXt", b"Raw profile type exif\0" + text)),
        "PNG, as a packed text": png_of(
            stored, 8, 2, *chunks, (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
        ),
        "WEBP": webp_with(encoded(image, "WEBP", lossless=True), image.size, (b"EXIF", data), (b"XMP ", xmp)),
        "WEBP, as in JPEG": webp_with(
            encoded(image, "WEBP", lossless=True), image.size, (b"XMP ", xmp), (b"EXIF", b"Exif\0\0" + data)
        ),
    }


def assert_all_upright(pictures: dict[str, bytes]) -> None:
    for name, data in pictures.items():
        pixels = decoded(data)
        assert pixels.shape == UPRIGHT.shape, name
        assert np.abs(pixels.astype(int) - UPRIGHT).max() <= 6, name


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", [XMP_ELEMENT, XMP_ATTRIBUTE], ids=["element", "attribute"])
def test_a_picture_is_upright_by_its_xmp_data_alone(orientation: int, form: bytes) -> None:
    stored = np.ascontiguousarray(STORED[orientation](UPRIGHT))
    xmp = form % orientation
    assert_all_upright(told_by_xmp(stored, xmp))
    assert_all_upright(told_by_xmp(stored, xmp.decode().encode("utf-16")))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("order", "<>")
def test_exif_data_outrank_xmp_data(orientation: int, order: str) -> None:
    stored = np.ascontiguousarray(STORED[orientation](UPRIGHT))
    others = XMP_ELEMENT % (9 - orientation)
    assert_all_upright(told_by_exif(stored, exif(orientation, order), others))
    assert_all_upright({"TIFF": tiff_of(stored, 8, 2, order=order, t274=orientation, t700=others)})


def test_xmp_data_count_where_exif_data_tell_nothing_valid() -> None:
    stored = np.ascontiguousarray(STORED[6](UPRIGHT))
    for useless in (exif(0), exif(9), b"", b"MM\0*", b"MM\0*\xff\xff\xff\xff", b"nonsense", exif(6)[:12]):
        assert_all_upright(told_by_exif(stored, useless, XMP_ATTRIBUTE % 6))
