"""Takes a JPEG apart by its markers (ITU-T T.81, annex B), without decoding it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.formats.orientation import EXIF_HEAD, XMP_HEAD
from monitor.crops.refusals import too_costly

if TYPE_CHECKING:
    from collections.abc import Iterator

END: Final = b"\xff\xd9"

# So many zeros in a row are no data of a scan, unless a code of zeros alone means that a block is empty: otherwise they
# would be more than 20 coefficients in a row of one and the same value.
LONGEST_ZEROS: Final = bytes(8)

# No writer needs more segments; going over more would take too long.
_MOST_SEGMENTS: Final = 10_000

_END: Final = 0xD9
_SCAN: Final = 0xDA
_HUFFMAN_TABLES: Final = 0xC4
_JFIF: Final = 0xE0
_APPLICATION_1: Final = 0xE1
_ADOBE: Final = 0xEE
_COMMENT: Final = 0xFE
_APPLICATIONS: Final = range(0xE0, 0xF0)
# Markers that have no body: restarts, the start and the end, and one of arithmetic coding.
_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
# Those of frames; 0xC4, 0xC8 and 0xCC mean something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {_HUFFMAN_TABLES, 0xC8, 0xCC}
_SEQUENTIAL_HUFFMAN: Final = frozenset({0xC0, 0xC1})
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_PLAIN_COMPONENTS: Final = frozenset({1, 3})
_MARKER_AND_LENGTH: Final = struct.Struct(">HH").unpack_from
_SIZE_AND_COMPONENTS: Final = struct.Struct(">HHB").unpack_from
_SCAN_HEAD: Final = struct.Struct(">HHB").unpack_from
_PLAIN_SCAN: Final = 0xFF00 | _SCAN
_PLAIN_FRAMES: Final = frozenset(0xFF00 | marker for marker in _SEQUENTIAL_HUFFMAN)
# Tables, comments, and all metadata but those that may turn the picture.
_PASSED_OVER: Final = frozenset(
    0xFF00 | marker for marker in {_HUFFMAN_TABLES, 0xDB, 0xDD, _COMMENT, *_APPLICATIONS} - {_APPLICATION_1}
)

# In a scan, 0xff is followed by 0, by a restart, or by another 0xff that fills; anything else ends it.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FILL: Final = re.compile(rb"\xff+")

# Where a table of Huffman codes is not written, it is the usual one, whose first code means a coefficient of 1 or -1.
_USUAL_FIRST_MEANING: Final = 1


class _Segment(NamedTuple):
    """A marker at ``start``, its body, and for a scan its data, from ``data_start`` on up to ``end``."""

    marker: int
    start: int
    body: bytes
    data_start: int
    end: int


class Scan(NamedTuple):
    """A scan's header: its components, the span of their coefficients, and down to which bit these are told.

    ``data_start``: where its data begin in the stream. ``table``: the number of the first component's table.
    """

    components: tuple[int, ...]
    first: int
    last: int
    low_bit: int
    data_start: int
    table: int


@dataclass
class JpegParts:
    """The parts of a JPEG.

    ``stream``: what the picture is decoded from, without metadata and without the end mark. ``ended``: whether it had
    its end mark. ``frame``: the marker of the picture's header. ``exif``, ``xmp``: the first of each.
    ``has_adobe_mark``: Adobe's segment says how the colours are stored. ``first_meanings``: by the number of a table of
    Huffman codes for all coefficients but the first, what the first code means.
    """

    stream: bytes = b""
    ended: bool = False
    frame: int = 0
    width: int = 0
    height: int = 0
    components: tuple[int, ...] = ()
    scans: list[Scan] = field(default_factory=list)
    exif: bytes | None = None
    xmp: bytes | None = None
    has_adobe_mark: bool = False
    first_meanings: dict[int, int] = field(default_factory=dict)

    @property
    def stream_without_fill(self) -> bytes:
        """The stream without zeros at its end, with which some cameras fill up the space before the end mark."""
        cut = self.stream.rstrip(b"\0")
        # The zero behind 0xff is part of the data.
        return cut + b"\0" if cut.endswith(b"\xff") and len(cut) < len(self.stream) else cut

    def has_all_scans(self) -> bool:
        """Whether the scans tell all coefficients of all components; a file that was cut between two has too few."""
        if self.frame not in _PROGRESSIVE:
            return {component for scan in self.scans for component in scan.components} >= set(self.components)
        told = {
            (component, coefficient)
            for scan in self.scans
            for component in scan.components
            for coefficient in range(scan.first, min(scan.last, 63) + 1)
            if scan.low_bit == 0
        }
        return len(told) == 64 * len(set(self.components))

    def has_zeros_for_data(self, stream: bytes) -> bool:
        """Whether zeros stand in the only scan that its codes cannot mean.

        False where there are several scans: one of a single component may be empty for long.
        """
        if self.frame not in _SEQUENTIAL_HUFFMAN or len(self.scans) != 1:
            return False
        (scan,) = self.scans
        # The first code of a table has zeros alone. Where it means that a block is empty, it may come for as long as a
        # surface is flat. In a scan of several components, the first one's codes come again and again.
        flat = self.first_meanings.get(scan.table, _USUAL_FIRST_MEANING) == 0
        return not flat and stream.find(LONGEST_ZEROS, scan.data_start) >= 0


def plain_header(data: bytes) -> tuple[int, int, int] | None:
    """Of what a camera usually writes, (width, height, about where the data begin); None for anything else.

    That is one scan of one or three components, and no metadata that could tell that the picture is to be turned. This
    is on the way of every crop and takes a microsecond.
    """
    try:
        frame = _pass_over(data, 2)
        marker, length = _MARKER_AND_LENGTH(data, frame)
        height, width, components = _SIZE_AND_COMPONENTS(data, frame + 5)
        start = _pass_over(data, frame + 2 + length)
        scan, _, scan_components = _SCAN_HEAD(data, start)
    except struct.error:
        return None
    if marker not in _PLAIN_FRAMES or scan != _PLAIN_SCAN:
        return None
    return (width, height, start) if components == scan_components and components in _PLAIN_COMPONENTS else None


def _pass_over(data: bytes, position: int) -> int:
    """The place of the next segment that is no table and no metadata."""
    marker, length = _MARKER_AND_LENGTH(data, position)
    while marker in _PASSED_OVER:
        position += 2 + length
        marker, length = _MARKER_AND_LENGTH(data, position)
    return position


def take_apart(data: bytes) -> JpegParts:
    """Go over the markers of a JPEG; raises `CropRefusedError` where there are too many.

    What is not as it should be stays in the stream, for decoding to find it, but for what stands behind a segment of
    metadata: some cameras write more of these than they say.
    """
    parts = JpegParts()
    kept = [data[:2]]
    kept_bytes = position = 2
    in_metadata = False
    for segment in _segments(data):
        if segment.marker == _END:
            parts.ended = True
            break
        before = b"" if in_metadata else data[position : segment.start]
        position, in_metadata = segment.end, _is_metadata(segment)
        _take(parts, segment, kept_bytes + len(before) + segment.data_start - segment.start)
        kept.append(before)
        kept.append(b"" if in_metadata else _as_it_should_be(data, segment))
        kept_bytes += len(before) + len(kept[-1])
    else:
        kept.append(data[position:])
        # Then the segments are not what they should be, rather than cut off.
        parts.ended = data.endswith(END)
    parts.stream = b"".join(kept)
    return parts


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments, up to the end mark or to one that is not whole."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        start = data.find(b"\xff", position)
        fill = _FILL.match(data, start) if start >= 0 else None
        if fill is None or fill.end() == len(data):
            return
        marker, end, body = data[fill.end()], fill.end() + 1, b""
        if marker not in _BARE:
            length = int.from_bytes(data[end : end + 2])
            if length < 2 or end + length > len(data):
                return
            body = data[end + 2 : end + length]
            end += length
        position = end
        if marker == _SCAN:
            following = _AFTER_SCAN.search(data, end)
            position = following.start() if following else len(data)
        yield _Segment(marker, start, body, end, position)
        if marker == _END:
            return
    raise too_costly("JPEG", f"more than {_MOST_SEGMENTS:,} segments")


def _take(parts: JpegParts, segment: _Segment, data_start: int) -> None:
    marker, body = segment.marker, segment.body
    if marker in _FRAMES:
        _take_frame(parts, marker, body)
    elif marker == _SCAN:
        _take_scan(parts, body, data_start)
    elif marker == _HUFFMAN_TABLES:
        _take_tables(parts, body)
    elif marker == _APPLICATION_1 and body.startswith(EXIF_HEAD[:5]) and parts.exif is None:
        parts.exif = body
    elif marker == _APPLICATION_1 and body.startswith(XMP_HEAD) and parts.xmp is None:
        parts.xmp = body
    elif marker == _ADOBE and body.startswith(b"Adobe"):
        parts.has_adobe_mark = True


def _take_frame(parts: JpegParts, marker: int, body: bytes) -> None:
    """Take the header of the picture; a second one is an error that decoding finds."""
    parts.frame = marker
    parts.height = max(parts.height, int.from_bytes(body[1:3]))
    parts.width = max(parts.width, int.from_bytes(body[3:5]))
    parts.components = tuple(body[6::3][: body[5]]) if len(body) > 5 else ()


def _take_scan(parts: JpegParts, body: bytes, data_start: int) -> None:
    count = body[0] if body else 0
    spectrum = body[1 + 2 * count : 4 + 2 * count]
    if count and len(spectrum) == 3:
        components = tuple(body[1 : 1 + 2 * count : 2])
        parts.scans.append(Scan(components, spectrum[0], spectrum[1], spectrum[2] & 15, data_start, body[2] & 15))


def _take_tables(parts: JpegParts, body: bytes) -> None:
    while len(body) > 17:
        kind, count = body[0], sum(body[1:17])
        if kind >> 4 == 1 and count:
            parts.first_meanings[kind & 15] = body[17]
        body = body[17 + count :]


def _is_metadata(segment: _Segment) -> bool:
    """Whether decoding does without it. JFIF's and Adobe's segments tell how the colours are stored."""
    if segment.marker == _JFIF:
        return not segment.body.startswith(b"JFIF\0")
    if segment.marker == _ADOBE:
        return not segment.body.startswith(b"Adobe")
    return segment.marker == _COMMENT or segment.marker in _APPLICATIONS


def _as_it_should_be(data: bytes, segment: _Segment) -> bytes:
    """A segment for decoding: where JFIF tells a version that there is none of, with the one that there is."""
    whole = data[segment.start : segment.end]
    if segment.marker == _JFIF and segment.body[5:6] not in {b"", b"\1"}:
        return whole[: -len(segment.body)] + segment.body[:5] + b"\1" + segment.body[6:]
    return whole
