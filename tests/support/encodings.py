"""Writes pictures in more ways than Pillow knows: PNG, TIFF and BMP of every depth, metadata that turn a picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.support.pictures import encoded, png

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

# Orientations, and how a picture has to be stored so that it is upright when it is turned as the number says.
STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
XMP_ELEMENT = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:Orientation>%d</tiff:Orientation>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
XMP_ATTRIBUTE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation = '%d'/></rdf:RDF></x:xmpmeta>"
)


def exif(orientation: int, order: str = ">") -> bytes:
    """EXIF data that tell an orientation, and nothing else."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    return head + struct.pack(f"{order}IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def packed(rows: NDArray[Any], bits: int, order: str = ">") -> bytes:
    """Samples, (rows, samples), as rows of bytes; of fewer than 16 bits, the highest bit comes first."""
    if bits in {8, 16, 32, 64}:
        return rows.astype(f"{order}{rows.dtype.kind}{bits // 8}").tobytes()
    single = (rows[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png_of(
    samples: NDArray[Any],
    depth: int,
    colour: int,
    *before: tuple[bytes, bytes],
    behind: Sequence[tuple[bytes, bytes]] = (),
    interlaced: bool = False,
) -> bytes:
    """A PNG of samples, (h, w, channels); ``before`` and ``behind``: chunks around those of the pixels."""
    height, width = samples.shape[:2]
    grids = [(0, 0, 1, 1)]
    if interlaced:
        grids = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b""
    for top, left, down, across in grids:
        some = samples[top::down, left::across]
        rows = packed(some.reshape(len(some), -1), depth)
        size = len(rows) // max(len(some), 1)
        data += b"".join(b"\0" + rows[start : start + size] for start in range(0, len(rows), size or 1))
    return png(
        width, height, *before, (b"IDAT", zlib.compress(data)), *behind, depth=depth, colour=colour,
        interlaced=interlaced,
    )  # fmt: skip


def tiff_of(
    samples: NDArray[Any],
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    method: int = 1,
    planes: bool = False,
    tile: tuple[int, int] | None = None,
    rows_per_strip: int = 5,
    differences: bool = False,
    reversed_bits: bool = False,
    big: bool = False,
    front: bool = False,
    **tags: Any,
) -> bytes:
    """A TIFF of samples, (h, w, channels), in strips or in tiles of (rows, columns).

    ``tags``: further ones, by ``t`` and their number: integers, tuples of them, or bytes. ``front``: the directory
    comes before the pixels.
    """
    height, width, channels = samples.shape
    rows, columns = tile or (rows_per_strip, width)
    blocks = []
    for plane in np.split(samples, channels, axis=2) if planes else [samples]:
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                block = plane[top : top + rows, left : left + columns]
                if tile:
                    missing = rows - block.shape[0], columns - block.shape[1]
                    block = np.pad(block, ((0, missing[0]), (0, missing[1]), (0, 0)))
                if differences:
                    whole = block.view(f"u{block.dtype.itemsize}")
                    block = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
                blocks.append(_pack(packed(block.reshape(len(block), -1), bits, order), block, method))
    if reversed_bits:
        blocks = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in block) for block in blocks]
    entries: dict[int, Any] = {
        256: width, 257: height, 258: (bits,) * channels, 259: method, 262: photometric, 277: channels,
        284: 2 if planes else 1,
    }  # fmt: skip
    entries |= {317: 2} if differences else {}
    entries |= {266: 2} if reversed_bits else {}
    entries |= {322: columns, 323: rows} if tile else {278: rows}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    return _file(entries, blocks, (324, 325) if tile else (273, 279), order, big=big, front=front)


def _pack(data: bytes, block: NDArray[Any], method: int) -> bytes:
    if method in {8, 32946}:
        return zlib.compress(data)
    if method == 1:
        return data
    rows = np.frombuffer(data, np.uint8).reshape(len(block), -1)
    name = {5: "tiff_lzw", 32773: "packbits"}[method]
    written = encoded(Image.fromarray(rows), "TIFF", compression=name)
    with Image.open(io.BytesIO(written)) as image:
        tags: dict[int, tuple[int, ...]] = image.tag_v2  # type: ignore[attr-defined]
        (offset,), (length,) = tags[273], tags[279]
    return written[offset : offset + length]


def _file(
    entries: dict[int, Any], blocks: list[bytes], places: tuple[int, int], order: str, *, big: bool, front: bool
) -> bytes:
    """A TIFF's header, directory and blocks; the directory lies behind the blocks, or before them."""
    number, held = ("Q", 8) if big else ("I", 4)
    entries = entries | dict.fromkeys(places, tuple(map(len, blocks)))
    head_bytes = 16 if big else 8

    def directory(start: int, first_block: int) -> bytes:
        offsets = np.cumsum([first_block, *map(len, blocks)])[:-1]
        written, texts = b"", b""
        behind = start + (8 + len(entries) * 20 + 8 if big else 2 + len(entries) * 12 + 4)
        for tag, value in sorted((entries | {places[0]: tuple(map(int, offsets))}).items()):
            if isinstance(value, bytes):
                kind, count, raw = 7, len(value), value
            else:
                values = value if isinstance(value, tuple) else (value,)
                kind, count, raw = 4, len(values), struct.pack(f"{order}{len(values)}I", *values)
            if len(raw) > held:
                place = struct.pack(order + number, behind + len(texts))
                texts += raw
            else:
                place = raw.ljust(held, b"\0")
            written += struct.pack(order + "HH" + number, tag, kind, count) + place
        count_head = struct.pack(order + ("Q" if big else "H"), len(entries))
        return count_head + written + bytes(held) + texts

    size = len(directory(0, 0))
    start = head_bytes if front else head_bytes + sum(map(len, blocks))
    head = (b"II" if order == "<" else b"MM") + struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0, start) if big else (42, start))
    )
    body = b"".join(blocks)
    listed = directory(start, head_bytes + size if front else head_bytes)
    return head + listed + body if front else head + body + listed


def bmp_of(
    samples: NDArray[Any],
    bits: int,
    *,
    palette: NDArray[np.uint8] | None = None,
    masks: tuple[int, ...] = (),
    top_down: bool = False,
    header_bytes: int = 40,
) -> bytes:
    """A BMP of samples, (h, w), each the bits of a pixel."""
    height, width = samples.shape
    rows = samples if top_down else samples[::-1]
    if bits == 24:
        raw = np.stack([rows >> shift & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8).reshape(height, -1)
    else:
        whole = packed(rows.astype({8: np.uint8, 16: np.uint16, 32: np.uint32}.get(bits, np.uint8)), bits, "<")
        raw = np.frombuffer(whole, np.uint8).reshape(height, -1)
    body = np.pad(raw, ((0, 0), (0, -raw.shape[1] % 4))).tobytes()
    entries = b""
    if palette is not None:
        spare = np.zeros((len(palette), 0 if header_bytes == 12 else 1), np.uint8)
        entries = np.hstack([palette[:, ::-1], spare]).astype(np.uint8).tobytes()
    if header_bytes == 12:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        used = 0 if palette is None else len(palette)
        header = struct.pack(
            "<IiiHHIIiiII", header_bytes, width, -height if top_down else height, 1, bits, 3 if masks else 0,
            len(body), 0, 0, used, 0,
        )  # fmt: skip
        header += struct.pack(f"<{len(masks)}I", *masks)
        header = header.ljust(header_bytes, b"\0")
    start = 14 + len(header) + len(entries)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + entries + body


def jpeg_with(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with further segments APP1 behind its start."""
    written = b"".join(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    return data[:2] + written + data[2:]


def webp_with(data: bytes, size: tuple[int, int], *chunks: tuple[bytes, bytes], flags: int = 0x0C) -> bytes:
    """A plain WebP of this (width, height) as an extended one with further chunks."""
    canvas = struct.pack("<I", flags) + b"".join((side - 1).to_bytes(3, "little") for side in size)
    return riff((b"VP8X", canvas), whole=data[12:], chunks=chunks)


def riff(*first: tuple[bytes, bytes], whole: bytes = b"", chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A WebP of chunks; ``whole``: chunks as they lie in another one."""

    def framed(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    body = b"".join(framed(*chunk) for chunk in first) + whole + b"".join(framed(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
