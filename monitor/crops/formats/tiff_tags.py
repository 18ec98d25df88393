"""The tags of a TIFF's first directory (TIFF 6.0, Adobe 1992, and BigTIFF), read within limits.

A tag says where its values lie and how many there are. Tags that no picture needs are not read, so that thousands that
all name the whole file take no time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from monitor.crops.refusals import too_costly, truncated

WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
DESCRIPTION, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 270, 273, 274, 277, 278, 279
HIGHEST_VALUE, PLANES, PREDICTOR, COLOUR_MAP = 281, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES, XMP = 332, 338, 339, 347, 700

# Tags whose values are places of the file where further data lie.
_POINTERS: Final = frozenset({330, 34665, 34853, 40965})
# Tags whose values are bytes, not numbers.
_TEXTS: Final = frozenset({DESCRIPTION, JPEG_TABLES, XMP})
_WANTED: Final = _TEXTS | {
    *(WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP),
    *(STRIP_BYTES, HIGHEST_VALUE, PLANES, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES),
    *(INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT),
}
# How `struct` names each type of integers, by its number.
_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
# The bytes of a value of each type.
_BYTES: Final = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8} | {
    kind: struct.calcsize(code) for kind, code in _INTEGERS.items()
}
# Numbers of a tag are not read beyond this; a picture needs one or two for each block of rows.
MOST_NUMBERS: Final = 65_536
# Nor are texts.
_LONGEST_TEXT: Final = 1 << 20


@dataclass(frozen=True)
class Directory:
    """A directory's tags: tuples of integers, or bytes of what is text.

    ``order``: that of bytes, as `struct` names it. ``end``: where the last of what the tags name ends, and the
    directory itself; without the picture's data. ``is_all``: the file holds nothing that this directory does not name.
    """

    order: str
    tags: dict[int, Any]
    end: int
    is_all: bool

    def numbers(self, tag: int) -> tuple[int, ...]:
        """A tag's numbers; empty where there are none."""
        values = self.tags.get(tag, ())
        return values if isinstance(values, tuple) else ()

    def number(self, tag: int, otherwise: int) -> int:
        """A tag's first number, or the one that stands for a missing tag."""
        return next(iter(self.numbers(tag)), otherwise)

    def text(self, tag: int) -> bytes:
        """A tag's text; empty where there is none."""
        value = self.tags.get(tag, b"")
        return value if isinstance(value, bytes) else b""


def read_directory(data: bytes) -> Directory:
    """Read the first directory of a TIFF; raises `CropRefusedError` where it does not lie in the file."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    # The sizes of what differs: the place of the directory, its number of entries, an entry, what an entry can hold.
    place, count, entry, held = ("Q", "Q", "HHQ", 8) if is_big else ("I", "H", "HHI", 4)
    entry_bytes = struct.calcsize(order + entry) + held
    try:
        (start,) = struct.unpack_from(order + place, data, 8 if is_big else 4)
        (entries,) = struct.unpack_from(order + count, data, start)
        first = start + struct.calcsize(order + count)
        end = first + entries * entry_bytes
        (following,) = struct.unpack_from(order + place, data, end)
    except (struct.error, OverflowError) as error:
        raise truncated("TIFF") from error
    end += struct.calcsize(order + place)
    tags: dict[int, Any] = {}
    is_all = not following
    for number in range(min(entries, MOST_NUMBERS)):
        at = first + number * entry_bytes
        tag, kind, values = struct.unpack_from(order + entry, data, at)
        length = values * _BYTES.get(kind, 1)
        at += entry_bytes - held
        if length > held:
            (at,) = struct.unpack_from(order + place, data, at)
            end = max(end, at + length)
        is_all = is_all and tag not in _POINTERS
        if tag in _WANTED and tag not in tags:
            tags[tag] = _values(data, order, tag, kind, values, at)
    return Directory(order, tags, end, is_all)


def _values(data: bytes, order: str, tag: int, kind: int, count: int, at: int) -> tuple[int, ...] | bytes:
    if tag in _TEXTS:
        return data[at : at + min(count * _BYTES.get(kind, 1), _LONGEST_TEXT)]
    if kind not in _INTEGERS:
        return ()
    if count > MOST_NUMBERS:
        raise too_costly("TIFF", f"{count:,} numbers in one tag")
    try:
        return struct.unpack_from(f"{order}{count}{_INTEGERS[kind]}", data, at)
    except (struct.error, OverflowError) as error:
        raise truncated("TIFF") from error
