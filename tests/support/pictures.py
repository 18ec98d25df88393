"""Pictures in every format, whole and damaged, and what the reader makes of them."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks
from monitor.words import Reason

if TYPE_CHECKING:
    from pathlib import Path

READER = CropReader(max_bytes=1_000_000, max_pixels=1_000_000)
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
TRANSIENT = {"unreadable", "empty", "unknown_format", "truncated", "undecodable", "damaged", "out_of_memory"}

GRADIENT = np.stack(np.meshgrid(np.arange(24) * 10, np.arange(16) * 15), axis=-1).astype(np.uint8)
PICTURE = np.dstack([GRADIENT, np.full((16, 24), 77, np.uint8)])


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def content(data: bytes) -> FileContent:
    return FileContent(data, hashlib.sha256(data).hexdigest(), Looks(len(data), 0, 0))


def decoded(data: bytes, reader: CropReader = READER) -> np.ndarray:
    return reader.decode(content(data)).pixels


def refusal(data: bytes, reader: CropReader = READER) -> CropRefusedError:
    with pytest.raises(CropRefusedError) as caught:
        reader.decode(content(data))
    assert_well_formed(caught.value)
    return caught.value


def outcome(data: bytes) -> str:
    """Whether damaged or cut data were refused, and why, or decoded; anything but these two is a defect."""
    try:
        picture = READER.decode(content(data))
    except CropRefusedError as error:
        assert_well_formed(error)
        return error.reason
    assert 0 < picture.pixels.size <= 3_000_000
    return "ended" if picture.ended else "not ended"


def load_refusal(path: Path, reader: CropReader = READER) -> CropRefusedError:
    with pytest.raises(CropRefusedError) as caught:
        reader.load(path)
    assert_well_formed(caught.value)
    assert path.name not in str(caught.value)
    return caught.value


def assert_well_formed(error: CropRefusedError) -> None:
    assert type(error.reason) is str
    assert error.reason in set(Reason)
    assert error.transient == (error.reason in TRANSIENT)
    assert str(error).isprintable()
    assert 10 < len(str(error)) < 400


def png(
    width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 2, interlaced: bool = False
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def tiff(width: int, height: int, data: bytes, **tags: int) -> bytes:
    """A one-channel TIFF whose pixel data stand right after the header."""
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1}
    if "t322" not in tags:
        entries |= {273: 8, 278: height, 279: len(data)}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    start = struct.pack("<I", 8 + len(data))
    return b"II*\0" + start + data + struct.pack("<H", len(entries)) + directory + b"\0\0\0\0"


VALID = {
    "JPEG": encoded(
        Image.fromarray(PICTURE), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"
    ),
    "PNG": encoded(Image.fromarray(PICTURE), "PNG"),
    "PNG palette": encoded(Image.fromarray(PICTURE).quantize(16), "PNG", transparency=bytes(range(16))),
    "PNG deep": encoded(Image.fromarray(GRADIENT[..., 0].astype(np.uint16) * 257), "PNG"),
    "BMP": encoded(Image.fromarray(PICTURE), "BMP"),
    "WEBP": encoded(Image.fromarray(PICTURE), "WEBP"),
    "WEBP lossless": encoded(Image.fromarray(PICTURE), "WEBP", lossless=True),
    "TIFF": encoded(Image.fromarray(PICTURE), "TIFF"),
    "TIFF deflate": encoded(Image.fromarray(PICTURE), "TIFF", compression="tiff_adobe_deflate"),
}
