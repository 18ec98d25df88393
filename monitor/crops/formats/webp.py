"""WebP: its chunks are checked here, and Pillow decodes the first picture alone.

Pillow would also unpack the transparency, which is dropped, and take memory for a canvas of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.crops.formats.orientation import orientation_of, upright
from monitor.crops.formats.pillow import pillow_pixels
from monitor.crops.refusals import damaged, too_costly, truncated, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from monitor.crops.refusals import Limits

_HEAD_BYTES: Final = 12
_CHUNK_HEAD_BYTES: Final = 8
_CANVAS_BYTES: Final = 10
_FRAME_HEAD_BYTES: Final = 16
_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"
_LOSSY_START: Final = b"\x9d\x01\x2a"
_LOSSLESS_START: Final = 0x2F
# No writer needs more chunks, not even of a film.
_MOST_CHUNKS: Final = 100_000


@dataclass
class _Parts:
    """``canvas``: the size that the whole is said to have, None where only ``picture``, its chunk, tells."""

    canvas: tuple[int, int] | None = None
    picture: tuple[bytes, bytes] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


def has_announced_length(data: bytes) -> bool:
    """Whether a WebP is as long as its header says; not every writer counts the last byte that makes it even."""
    announced = int.from_bytes(data[4:8], "little")
    return len(data) == _CHUNK_HEAD_BYTES + announced + announced % 2 or len(data) == _CHUNK_HEAD_BYTES + announced


def decode_webp(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Decode a WebP: uint8 (h, w, 3), RGB, upright; of an animated one its first picture.

    Transparency is dropped. Colour profiles are ignored.
    """
    parts = _take_apart(data)
    if parts.canvas is not None:
        limits.check_size(*parts.canvas)
    kind, body = parts.picture or (b"", b"")
    size = _size(kind, body)
    limits.check_size(*size)
    if not has_announced_length(data):
        if len(data) < _CHUNK_HEAD_BYTES + int.from_bytes(data[4:8], "little"):
            raise truncated("WEBP")
        raise damaged("WEBP", "it is longer than it says")
    if 0 in size:
        raise unsupported("WEBP", "it holds no picture")
    if parts.canvas not in (None, size):
        raise unsupported("WEBP", "its first picture does not fill it")
    chunk = kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
    alone = b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
    pixels = pillow_pixels(alone, "WEBP")[0]
    return upright(np.ascontiguousarray(pixels[..., :3]), orientation_of(parts.exif, parts.xmp))


def _take_apart(data: bytes) -> _Parts:
    parts = _Parts()
    for kind, body in _chunks(data[_HEAD_BYTES:]):
        match kind:
            case b"VP8X" if len(body) >= _CANVAS_BYTES and parts.canvas is None:
                parts.canvas = _size_before_one(body[4:10])
            case b"VP8 " | b"VP8L" if parts.picture is None:
                parts.picture = kind, body
            case b"ANMF" if parts.picture is None and len(body) > _FRAME_HEAD_BYTES:
                parts.picture = _first_picture(body, parts.canvas)
            case b"EXIF":
                parts.exif = parts.exif or body
            case b"XMP ":
                parts.xmp = parts.xmp or body
    return parts


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of each chunk that is whole."""
    position = 0
    for _ in range(_MOST_CHUNKS):
        head = data[position : position + _CHUNK_HEAD_BYTES]
        start = position + _CHUNK_HEAD_BYTES
        length = int.from_bytes(head[4:], "little")
        if len(head) < _CHUNK_HEAD_BYTES or start + length > len(data):
            return
        yield head[:4], data[start : start + length]
        position = start + length + length % 2
    raise too_costly("WEBP", f"more than {_MOST_CHUNKS:,} chunks")


def _first_picture(frame: bytes, canvas: tuple[int, int] | None) -> tuple[bytes, bytes] | None:
    """The chunk of an animation's first picture."""
    if frame[:6] != bytes(6) or _size_before_one(frame[6:12]) != canvas:
        raise unsupported("WEBP", "its first picture does not fill it")
    inner = _chunks(frame[_FRAME_HEAD_BYTES:])
    return next(((kind, body) for kind, body in inner if kind in {_LOSSY, _LOSSLESS}), None)


def _size_before_one(six: bytes) -> tuple[int, int]:
    """(width, height) from two numbers of three bytes, each one less."""
    return int.from_bytes(six[:3], "little") + 1, int.from_bytes(six[3:], "little") + 1


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    """(width, height) that a picture's own header tells; (0, 0) where that is none."""
    if kind == _LOSSY and body[3:6] == _LOSSY_START and len(body) >= 10:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if kind == _LOSSLESS and len(body) >= 5 and body[0] == _LOSSLESS_START:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0
