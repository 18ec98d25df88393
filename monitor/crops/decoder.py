"""Decodes the bytes of an image file to RGB pixels: the accepted formats, and where Pillow needs help."""

from __future__ import annotations

import io
import re
import struct
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import simplejpeg
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Pillow refuses to open an image of more pixels, so a higher limit could not be kept.
LARGEST_PIXEL_LIMIT: Final = 178_956_970

_HEADS: Final = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("BMP", re.compile(rb"BM")),
    ("WEBP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
)
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"

# Numbers of TIFF tags, and the value of SampleFormat that means signed integers (TIFF 6.0, Adobe 1992).
_TILE_WIDTH: Final = 322
_TILE_LENGTH: Final = 323
_BITS_PER_SAMPLE: Final = 258
_SAMPLE_FORMAT: Final = 339
_SIGNED: Final = 2


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
            announced: int = struct.unpack_from("<I", data, 4)[0]
            # Chunks are padded to even lengths; not every writer counts the last padding.
            return None if len(data) == 8 + announced + announced % 2 else False
    return None


def decode_rgb(data: bytes, image_format: str, check_size: Callable[[int, int], None]) -> NDArray[np.uint8]:
    """Decode the first picture: uint8 (h, w, 3), RGB, C-contiguous, writable, turned as its EXIF data say.

    ``check_size`` is called with every (width, height) that the header announces before memory is taken for
    it, and may raise. Pillow raises whatever it likes for damaged data. Transparency is dropped: the colours
    are as stored. Grey of more than 8 bits keeps its upper 8 bits, counted from the depth that the file
    declares; 32-bit integers and floats, for which no depth says what white is, are scaled by the smallest
    of the full ranges 1 (floats only), 255, 65,535 and the type's own that holds their brightest pixel.
    """
    if image_format == "JPEG":
        pixels = _decode_plain_jpeg(data, check_size)
        if pixels is not None:
            return pixels
    if image_format == "WEBP":
        # Pillow allocates a WebP's whole canvas on opening, before its size could be asked.
        check_size(*_webp_size(data))
    _silence_pillow()
    with Image.open(io.BytesIO(data), formats=[image_format]) as image:
        check_size(*image.size)
        # A TIFF decoder takes memory for whole tiles, however small the picture is.
        check_size(*_tile_size(image))
        image.load()
        pixels = np.array(_upright(image, _as_rgb(image)), dtype=np.uint8, order="C")
    if not pixels.size:
        raise ValueError("the picture has no pixels")
    return pixels


def _decode_plain_jpeg(data: bytes, check_size: Callable[[int, int], None]) -> NDArray[np.uint8] | None:
    """Decode what a camera usually writes, a whole JPEG in YCbCr that need not be turned; None for anything else.

    The library and its settings are Pillow's, so the pixels are the same, in a seventh of the time. Whatever it complains
    about is left to Pillow.
    """
    if b"Exif\0" in data:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if colours != "YCbCr":
            return None
        check_size(width, height)
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return None
    return pixels


def _webp_size(data: bytes) -> tuple[int, int]:
    """(width, height) that a WebP's first chunk announces; (0, 0) where it is too short to say."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _tags(image: Image.Image) -> dict[int, Any]:
    tags: dict[int, Any] = getattr(image, "tag_v2", {})
    return tags


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of a TIFF's tiles; (0, 0) for what has none."""
    width, height = _tags(image).get(_TILE_WIDTH, 0), _tags(image).get(_TILE_LENGTH, 0)
    return (width, height) if isinstance(width, int) and isinstance(height, int) else (0, 0)


def _as_rgb(image: Image.Image) -> Image.Image:
    # With its transparency gone, converting is a plain look-up: no warning, no failure on odd values.
    image.info.pop("transparency", None)
    # Pillow's own conversion of these clips at 255.
    if image.mode == "F":
        image = Image.fromarray(_from_float(np.asarray(image)))
    elif image.mode.startswith("I"):
        image = Image.fromarray(_from_deep_integer(image))
    return image.convert("RGB")


def _from_float(values: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0)
    brightest: float = values.max(initial=0)
    white = next((top for top in (1, 255, 65_535) if brightest <= top), brightest)
    eight_bits: NDArray[np.uint8] = np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
    return eight_bits


def _from_deep_integer(image: Image.Image) -> NDArray[np.uint8]:
    values: NDArray[Any] = np.asarray(image)
    declared = max(_tags(image).get(_BITS_PER_SAMPLE, (16,)))
    signed = _SIGNED in _tags(image).get(_SAMPLE_FORMAT, ())
    depth = declared - 1 if signed else declared
    if declared == 32:
        # Pillow keeps unsigned values in signed pixels.
        values = values if signed else values.view(np.uint32)
        depth = next((bits for bits in (8, 16) if values.max(initial=0) < 2**bits), depth)
    upper: NDArray[np.uint8] = np.clip(values.astype(np.int64) >> max(depth - 8, 0), 0, 255).astype(np.uint8)
    return upper


# By the value of EXIF's Orientation (1 needs none), what turns the picture upright.
_TRANSPOSITIONS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image, rgb: Image.Image) -> Image.Image:
    # Pillow has already turned a TIFF while loading it.
    if image.format == "TIFF":
        return rgb
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    # Damaged EXIF data raise as variously as damaged pixels do, and the picture is good without them.
    except Exception:  # noqa: BLE001
        return rgb
    method = _TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None
    return rgb if method is None else rgb.transpose(method)


_PILLOW_MODULES: Final = r"PIL\."


def _silence_pillow() -> None:
    """Ignore Pillow's warnings about damaged metadata in this process: no one can act on them.

    `warnings.catch_warnings` would swap the process's filters under other threads; a filter that is put in
    front once, and again when another one was put before it, needs no lock and is never removed.
    """
    first: Any = warnings.filters[0] if warnings.filters else None
    if first is None or getattr(first[3], "pattern", None) != _PILLOW_MODULES:
        warnings.filterwarnings("ignore", module=_PILLOW_MODULES)
