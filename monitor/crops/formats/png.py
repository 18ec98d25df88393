"""PNG: its chunks are checked here, and Pillow decodes the picture alone.

Pillow looks at the checksums of some chunks only, and unpacks whatever the others hold. So it gets a PNG with nothing
in it but the header, the palette and the picture's data.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from monitor.crops.formats.orientation import XMP_KEYWORD, orientation_of, upright
from monitor.crops.formats.pillow import pillow_pixels
from monitor.crops.formats.samples import as_three_channels, spread_bits
from monitor.crops.refusals import damaged, too_costly, truncated, unsupported

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from monitor.crops.refusals import Limits

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# What a signature begins with and a file begins like whose line ends were changed, which the rest of it is there for.
SIGNATURE_HEAD: Final = b"\x89PNG"

_HEADER: Final = struct.Struct(">IIBBBBB")
_LENGTH: Final = struct.Struct(">I")
# What a chunk has beside its body: length, kind and checksum.
_FRAME_BYTES: Final = 12
# No writer needs more chunks; going over more would take too long.
_MOST_CHUNKS: Final = 100_000
# No text that tells how the picture is turned is longer.
_LONGEST_TEXT: Final = 1 << 20

# By the kind of colours: how many samples a pixel has, of how many bits each.
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_SAMPLES: Final = {
    _GREY: (1, {1, 2, 4, 8, 16}),
    _COLOUR: (3, {8, 16}),
    _PALETTE: (1, {1, 2, 4, 8}),
    _GREY_ALPHA: (2, {8, 16}),
    _COLOUR_ALPHA: (4, {8, 16}),
}
# Packed data are never much longer than what they unpack to; a picture of a few pixels in many bytes wastes time.
_LONGEST_PACKED: Final = 2
_SPARE_BYTES: Final = 4096

# How ImageMagick writes EXIF data, as a text: their name, their length and their bytes as hexadecimal digits.
_PROFILES: Final = (b"Raw profile type exif\0", b"Raw profile type APP1\0")


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colours: int
    packing: int
    filtering: int
    interlacing: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, with the byte that says how it is filtered."""
        return 1 + (self.width * self.depth * _SAMPLES[self.colours][0] + 7) // 8


@dataclass
class _Parts:
    """The chunks that matter.

    ``exif``, ``xmp``, ``profile``: the first of each; the last is EXIF data as a text. ``significant``: each sample's
    bits, if told.
    """

    header: _Header | None = None
    palette: bytes | None = None
    data: list[bytes] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    profile: tuple[bytes, bytes] | None = None
    significant: bytes = b""


def decode_png(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Decode a PNG: uint8 (h, w, 3), RGB, upright; of an animated one, the picture that is there for other programs.

    Transparency is dropped. Gamma and colour profiles are ignored. Samples of more than 8 bits keep their upper 8.
    """
    if not data.startswith(SIGNATURE):
        if SIGNATURE.startswith(data):
            raise truncated("PNG")
        raise damaged("PNG", "its line ends were replaced, as FTP in ASCII mode does")
    parts = _take_apart(data)
    header = parts.header
    if header is None:
        raise truncated("PNG")
    _check(header, parts, limits)
    if not parts.data:
        raise truncated("PNG")
    pixels, mode = pillow_pixels(_rebuilt(header, parts), "PNG")
    exif = parts.exif or _profile(parts.profile)
    return upright(_as_rgb(pixels, mode, header, parts), orientation_of(exif, _international_text(parts.xmp)))


def _take_apart(data: bytes) -> _Parts:
    parts, position, view = _Parts(), len(SIGNATURE), memoryview(data)
    for _ in range(_MOST_CHUNKS):
        if position + _FRAME_BYTES > len(data):
            return parts
        (length,) = _LENGTH.unpack_from(data, position)
        end = position + _FRAME_BYTES + length
        if end > len(data):
            return parts
        if zlib.crc32(view[position + 4 : end - 4]) != _LENGTH.unpack_from(data, end - 4)[0]:
            raise damaged("PNG", f"the checksum of its bytes {position:,} to {end:,} is wrong")
        kind, body = data[position + 4 : position + 8], data[position + 8 : end - 4]
        if kind == b"IEND":
            return parts
        _take(parts, kind, body)
        position = end
    raise too_costly("PNG", f"more than {_MOST_CHUNKS:,} chunks")


def _take(parts: _Parts, kind: bytes, body: bytes) -> None:
    if parts.header is None and kind != b"IHDR":
        raise unsupported("PNG", "it does not begin with its header")
    match kind:
        case b"IHDR" if len(body) == _HEADER.size and parts.header is None:
            parts.header = _Header(*_HEADER.unpack(body))
        case b"PLTE":
            parts.palette = body
        case b"IDAT":
            parts.data.append(body)
        case b"eXIf":
            parts.exif = parts.exif or body
        case b"sBIT":
            parts.significant = body
        case b"iTXt" if body.startswith(XMP_KEYWORD + b"\0"):
            parts.xmp = parts.xmp or body
        case b"tEXt" | b"zTXt" if body.startswith(_PROFILES):
            parts.profile = parts.profile or (kind, body)
        case _ if not kind[0] & 0x20:
            # A capital letter: decoding cannot do without knowing what this chunk means.
            raise unsupported("PNG", f"a chunk {kind!r}")


def _international_text(body: bytes) -> bytes:
    """The text of an iTXt chunk: behind the keyword two flags, a language and a translated keyword."""
    behind = body.partition(b"\0")[2]
    text = behind[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _unpacked(text) if behind[:1] == b"\1" else text[:_LONGEST_TEXT]


def _profile(chunk: tuple[bytes, bytes] | None) -> bytes:
    """The EXIF data in a text, behind its name and its length; empty where there are none."""
    kind, body = chunk or (b"", b"")
    text = body.partition(b"\0")[2]
    text = _unpacked(text[1:]) if kind == b"zTXt" else text[:_LONGEST_TEXT]
    with suppress(ValueError):
        return bytes.fromhex("".join(text.decode("ascii").split()[2:]))
    return b""


def _unpacked(text: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(text, _LONGEST_TEXT)
    return b""


def _check(header: _Header, parts: _Parts, limits: Limits) -> None:
    limits.check_size(header.width, header.height)
    depths = _SAMPLES.get(header.colours, (0, set()))[1]
    if header.depth not in depths or header.packing or header.filtering or header.interlacing > 1:
        raise unsupported("PNG", "its header names a kind of picture that there is none of")
    if not header.width or not header.height:
        raise unsupported("PNG", "it has no pixels")
    if header.colours == _PALETTE and not parts.palette:
        raise unsupported("PNG", "it has no palette")
    packed = sum(map(len, parts.data))
    if packed > _LONGEST_PACKED * header.row_bytes * header.height + _SPARE_BYTES:
        raise too_costly("PNG", f"{packed:,} packed bytes for {header.width:,} x {header.height:,} pixels")


def _rebuilt(header: _Header, parts: _Parts) -> bytes:
    palette = [(b"PLTE", parts.palette)] if header.colours == _PALETTE and parts.palette else []
    chunks = [(b"IHDR", _HEADER.pack(*header)), *palette, (b"IDAT", b"".join(parts.data)), (b"IEND", b"")]
    framed = [
        _LENGTH.pack(len(body)) + kind + body + _LENGTH.pack(zlib.crc32(body, zlib.crc32(kind)))
        for kind, body in chunks
    ]
    return SIGNATURE + b"".join(framed)


def _as_rgb(pixels: NDArray[Any], mode: str, header: _Header, parts: _Parts) -> NDArray[np.uint8]:
    """Pillow's pixels as RGB: of 16 bits, Pillow keeps the upper 8 but in grey pictures without alpha."""
    if mode == "1":
        pixels = pixels.astype(np.uint8) * 255
    values = pixels[..., None] if pixels.ndim == 2 else pixels
    colours = values[..., : 3 if values.shape[2] > 2 else 1]
    if header.colours != _PALETTE and header.depth >= 8:
        colours = _told_bits(colours, header, parts.significant)
    eight_bits = colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)
    return as_three_channels(eight_bits)


def _told_bits(colours: NDArray[Any], header: _Header, significant: bytes) -> NDArray[Any]:
    """Samples of fewer bits than the file has room for, as sBIT tells, brought to the whole range if they are not yet.

    A writer ought to do this itself, and then nothing has to be done. Some cameras do not.
    """
    told = significant[: colours.shape[2]]
    if len(told) < colours.shape[2] or not all(0 < bits <= header.depth for bits in told):
        return colours
    # Of deep colours, only the upper bits are here.
    lost = header.depth - 8 if colours.dtype == np.uint8 else 0
    if not lost:
        return spread_bits(colours, header.depth, told)
    if min(told) < header.depth and all(
        colours[..., channel].max() < 1 << max(bits - lost, 0) for channel, bits in enumerate(told)
    ):
        raise unsupported("PNG", f"{max(told)} bits in the place of {header.depth}, in colour")
    return colours
