"""BMP: decoded here; only pictures of packed runs (RLE) are left to Pillow."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.crops.formats.pillow import pillow_pixels
from monitor.crops.formats.samples import as_three_channels, to_eight_bits, unpacked
from monitor.crops.refusals import damaged, too_costly, truncated, unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.crops.refusals import Limits

# Before the header: "BM", the length of the file, and where the rows begin.
_FILE_HEADER: Final = struct.Struct("<2sI4xI")
_OLDEST_HEADER: Final = struct.Struct("<IHHHH")
_HEADER: Final = struct.Struct("<IiiHHI12xI")
_MASKS: Final = struct.Struct("<III")
# By their lengths, the headers that exist: that of OS/2 1, that of Windows, and its later versions.
_OLDEST_HEADER_BYTES: Final = 12
_HEADER_BYTES: Final = frozenset({40, 52, 56, 64, 108, 124})
_MASKS_START: Final = 14 + 40

_PLAIN, _RUNS, _SHORT_RUNS, _BY_MASKS, _BY_FOUR_MASKS = 0, 1, 2, 3, 6
# Blue, green and red of 16 and of 32 bits, where no masks tell.
_USUAL_MASKS: Final = {16: (0x7C00, 0x03E0, 0x001F), 32: (0xFF0000, 0xFF00, 0xFF)}
# Pillow unpacks runs in Python, one by one.
_LARGEST_PIXELS_OF_RUNS: Final = 1 << 18


@dataclass(frozen=True)
class _Header:
    """``height``: positive; ``upside_down``: the first row is the lowest. ``masks``: of red, green and blue."""

    width: int
    height: int
    upside_down: bool
    bits: int
    packing: int
    palette: bytes
    palette_entry_bytes: int
    masks: tuple[int, int, int]
    rows_start: int

    @property
    def row_bytes(self) -> int:
        """The bytes of a row, which are a multiple of four."""
        return (self.width * self.bits + 31) // 32 * 4


def decode_bmp(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Decode a BMP: uint8 (h, w, 3), RGB. Transparency is dropped; colour profiles are ignored."""
    try:
        header = _read_header(data)
    except struct.error as error:
        raise truncated("BMP") from error
    limits.check_size(header.width, header.height)
    if not header.width or not header.height:
        raise unsupported("BMP", "it has no pixels")
    if header.packing in {_RUNS, _SHORT_RUNS}:
        return _decode_runs(data, header)
    _check_length(data, header.rows_start + header.row_bytes * header.height)
    rows = np.frombuffer(data, np.uint8, header.row_bytes * header.height, header.rows_start)
    rows = rows.reshape(header.height, header.row_bytes)
    return _colours(rows[::-1] if header.upside_down else rows, header)


def _read_header(data: bytes) -> _Header:
    rows_start = _FILE_HEADER.unpack_from(data)[2]
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    entry_bytes, packing, used = 4, _PLAIN, 0
    if header_bytes == _OLDEST_HEADER_BYTES:
        _, width, height, _, bits = _OLDEST_HEADER.unpack_from(data, 14)
        entry_bytes = 3
    elif header_bytes in _HEADER_BYTES:
        _, width, height, _, bits, packing, used = _HEADER.unpack_from(data, 14)
    else:
        raise unsupported("BMP", f"a header of {header_bytes:,} bytes")
    if bits not in {1, 4, 8, 16, 24, 32} or packing not in {_PLAIN, _RUNS, _SHORT_RUNS, _BY_MASKS, _BY_FOUR_MASKS}:
        raise unsupported("BMP", f"{bits} bits, packed by method {packing}")
    if width < 0:
        raise unsupported("BMP", f"a width of {width:,}")
    masks = _USUAL_MASKS.get(bits, (0, 0, 0))
    palette_start = 14 + header_bytes
    if packing in {_BY_MASKS, _BY_FOUR_MASKS}:
        masks = _MASKS.unpack_from(data, _MASKS_START)
        # In the first version of the header, they stand behind it.
        palette_start += {_BY_MASKS: 12, _BY_FOUR_MASKS: 16}[packing] if header_bytes == 40 else 0
    colours = 0 if bits > 8 else min(used or 1 << bits, 1 << bits)
    if rows_start <= palette_start:
        # Some writers forget that there is a palette, or say nothing.
        rows_start = palette_start + entry_bytes * colours
    colours = min(colours, (rows_start - palette_start) // entry_bytes)
    palette = data[palette_start : palette_start + entry_bytes * colours]
    return _Header(width, abs(height), height > 0, bits, packing, palette, entry_bytes, masks, rows_start)


def _check_length(data: bytes, end: int) -> None:
    if len(data) < end:
        raise truncated("BMP")
    # A writer may fill up to a whole block, or put a colour profile behind the rows and count it.
    counted = _FILE_HEADER.unpack_from(data)[1] == len(data)
    if not counted and data[end:].strip(b"\0"):
        raise damaged("BMP", f"{len(data) - end:,} bytes too many")


def _decode_runs(data: bytes, header: _Header) -> NDArray[np.uint8]:
    announced = _FILE_HEADER.unpack_from(data)[1]
    if len(data) < announced:
        raise truncated("BMP")
    if len(data) > announced > 0:
        raise damaged("BMP", f"{len(data) - announced:,} bytes too many")
    if header.bits != {_RUNS: 8, _SHORT_RUNS: 4}[header.packing]:
        raise unsupported("BMP", f"runs of {header.bits} bits")
    pixels = header.width * header.height
    if max(pixels, len(data) // 4) > _LARGEST_PIXELS_OF_RUNS:
        raise too_costly("BMP", f"{len(data):,} bytes of runs for {pixels:,} pixels")
    decoded, _ = pillow_pixels(data, "BMP")
    return as_three_channels(decoded if decoded.ndim == 3 else decoded[..., None])


def _colours(rows: NDArray[np.uint8], header: _Header) -> NDArray[np.uint8]:
    width, bits = header.width, header.bits
    if bits <= 8:
        entries = np.frombuffer(header.palette, np.uint8).reshape(-1, header.palette_entry_bytes)
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(entries)] = entries[:, 2::-1]
        pixels: NDArray[np.uint8] = palette[unpacked(rows, bits, width)]
        return pixels
    if bits == 24:
        return np.ascontiguousarray(rows[:, : 3 * width].reshape(-1, width, 3)[..., ::-1])
    values = np.ascontiguousarray(rows[:, : bits // 8 * width]).view(f"<u{bits // 8}")
    return np.stack([_channel(values, mask) for mask in header.masks], axis=-1)


def _channel(values: NDArray[Any], mask: int) -> NDArray[np.uint8]:
    """The bits of a mask, which have to lie side by side, as 8 bits."""
    lowest = (mask & -mask).bit_length() - 1
    bits = mask.bit_length() - lowest
    if not mask or mask >> lowest != (1 << bits) - 1:
        raise unsupported("BMP", f"a mask of {mask:#x}")
    return to_eight_bits((values & np.array(mask, values.dtype)) >> lowest, bits)
