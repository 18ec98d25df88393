"""The blocks of rows that a TIFF's pixels lie in, strips or tiles: where they are, and unpacking them.

libtiff, through Pillow, only unpacks LZW and PackBits, from a TIFF that is made for it here; what the bytes mean is
told in `monitor.crops.formats.tiff`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.crops.formats.pillow import pillow_pixels, silence_libtiff
from monitor.crops.refusals import damaged, too_costly, truncated, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# The numbers of the methods of packing.
PLAIN, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACK_BITS = 1, 5, 7, 8, 32946, 32773

# Packed data are never much longer than what they unpack to.
_LONGEST_PACKED: Final = 2
_SPARE_BYTES: Final = 1024
# Bytes whose lowest bit comes first.
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Block:
    """``data``: as they lie in the file; they unpack to so many rows of so many bytes."""

    data: bytes
    rows: int
    row_bytes: int

    @property
    def size(self) -> int:
        """How many bytes it unpacks to."""
        return self.rows * self.row_bytes


def cut_out(
    data: bytes, offsets: Sequence[int], lengths: Sequence[int], sizes: Sequence[tuple[int, int]], method: int
) -> list[Block]:
    """The blocks at these places; ``sizes``: (rows, bytes of a row) of each. Raises `CropRefusedError`."""
    blocks = []
    for offset, packed_length, (rows, row_bytes) in zip(offsets, lengths, sizes, strict=True):
        # Some writers count a whole block where the picture ends within it.
        length = min(packed_length, rows * row_bytes) if method == PLAIN else packed_length
        if offset + length > len(data) or not length:
            raise truncated("TIFF")
        if length > _LONGEST_PACKED * rows * row_bytes + _SPARE_BYTES:
            raise too_costly("TIFF", f"{length:,} packed bytes for {rows * row_bytes:,}")
        blocks.append(Block(data[offset : offset + length], rows, row_bytes))
    if sum(len(block.data) for block in blocks) > len(data):
        raise too_costly("TIFF", "several blocks of rows lie in the same place")
    return blocks


def unpack(blocks: Sequence[Block], method: int, *, is_reversed: bool) -> list[NDArray[np.uint8]]:
    """Unpack blocks: uint8 (rows, bytes) each; raises `CropRefusedError` for what is not as long as it should be."""
    if is_reversed:
        blocks = [Block(block.data.translate(_REVERSED), block.rows, block.row_bytes) for block in blocks]
    if method in {LZW, PACK_BITS}:
        return [rows for group in _alike(blocks) for rows in _by_libtiff(group, method)]
    if method in {DEFLATE, OLD_DEFLATE}:
        unpacked = [_inflated(block) for block in blocks]
    elif method == PLAIN:
        unpacked = [block.data for block in blocks]
    else:
        raise unsupported("TIFF", f"packed by method {method}")
    if any(len(some) < block.size for some, block in zip(unpacked, blocks, strict=True)):
        raise truncated("TIFF")
    return [
        np.frombuffer(some, np.uint8, block.size).reshape(block.rows, block.row_bytes)
        for some, block in zip(unpacked, blocks, strict=True)
    ]


def _inflated(block: Block) -> bytes:
    inflating = zlib.decompressobj()
    try:
        # One byte more than there should be, so that what follows the last one, the checksum, is looked at.
        unpacked = inflating.decompress(block.data, block.size + 1)
    except zlib.error as error:
        raise damaged("TIFF", str(error)) from error
    if len(unpacked) != block.size or not inflating.eof:
        raise damaged("TIFF", "a block of rows does not unpack to what it should")
    return unpacked


def _alike(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks of the same size in a row, of which the last may have fewer rows: what one TIFF can hold."""
    group: list[Block] = []
    for block in blocks:
        first = group[0] if group else block
        if group and (group[-1].rows < first.rows or block.rows > first.rows or block.row_bytes != first.row_bytes):
            yield group
            group = []
        group.append(block)
    yield group


def _by_libtiff(blocks: list[Block], method: int) -> list[NDArray[np.uint8]]:
    """Unpack blocks as the strips of a TIFF whose pixels are their bytes."""
    silence_libtiff()
    rows = sum(block.rows for block in blocks)
    lengths = [len(block.data) for block in blocks]
    # The header, the places and lengths of the strips, the strips, and the directory.
    offsets = list(accumulate(lengths, initial=8 + 8 * len(blocks)))
    end = offsets.pop()
    places = struct.pack(f"<{len(blocks)}I", *offsets), struct.pack(f"<{len(blocks)}I", *lengths)
    one = len(blocks) == 1
    entries = [
        (256, 1, blocks[0].row_bytes), (257, 1, rows), (258, 1, 8), (259, 1, method), (262, 1, 1),
        (273, len(blocks), offsets[0] if one else 8), (277, 1, 1), (278, 1, blocks[0].rows),
        (279, len(blocks), lengths[0] if one else 8 + 4 * len(blocks)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in entries)
    head = struct.pack("<2sHI", b"II", 42, end + end % 2)
    strips = [block.data for block in blocks]
    made = b"".join([head, *places, *strips, bytes(end % 2), struct.pack("<H", len(entries)), directory, bytes(4)])
    try:
        unpacked = pillow_pixels(made, "TIFF")[0]
    except (OSError, ValueError) as error:
        raise damaged("TIFF", "a block of rows cannot be unpacked") from error
    return np.split(unpacked, list(accumulate(block.rows for block in blocks[:-1])))
