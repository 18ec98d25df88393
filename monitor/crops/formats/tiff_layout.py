"""How a TIFF says that its pixels lie and what they mean, as far as that can be told for sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.formats import tiff_blocks, tiff_tags
from monitor.crops.formats.tiff_blocks import Block, cut_out
from monitor.crops.formats.tiff_tags import MOST_NUMBERS
from monitor.crops.refusals import too_costly, truncated, unsupported

if TYPE_CHECKING:
    from monitor.crops.formats.tiff_tags import Directory
    from monitor.crops.refusals import Limits

# How colours are told.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
# How many samples of a pixel tell its colour.
_COLOURS: Final = {
    **dict.fromkeys((WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE), 1),
    **dict.fromkeys((RGB, YCBCR, LAB, ICC_LAB), 3),
    INKS: 4,
}
# What may be packed as JPEG.
_AS_JPEG: Final = frozenset({WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR})
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
# How many bits a sample of each kind may have.
_DEPTHS: Final = {UNSIGNED: {*range(1, 17), 32, 64}, SIGNED: {8, 16, 32, 64}, FLOAT: {16, 32, 64}}
# What is behind the colours: transparency by which they were multiplied.
_MULTIPLIED_ALPHA: Final = 1
_NO_PREDICTOR, _DIFFERENCES = 1, 2
_PLANES_APART: Final = 2
_CMYK_INKS: Final = 1

_MOST_SAMPLES: Final = 16
# What all rows unpack to.
_MOST_BYTES: Final = 160_000_000


class Layout(NamedTuple):
    """How the pixels lie, and what they mean.

    ``bits``, ``kind``: of a sample. ``method``: of packing. ``differences``: each sample is stored as its difference
    from the one before. ``apart``: each sample has a plane of its own. ``block``: (rows, columns) of a full block.
    ``is_tiled``: blocks at the edges are full ones too. ``multiplied``: behind the colours is transparency by which
    they were multiplied.
    """

    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    kind: int
    method: int
    differences: bool
    apart: bool
    block: tuple[int, int]
    is_tiled: bool
    multiplied: bool

    @property
    def colours(self) -> int:
        """How many samples of a pixel tell its colour."""
        return _COLOURS[self.photometric]

    @property
    def kept(self) -> int:
        """How many samples of a pixel count."""
        return self.colours + self.multiplied

    @property
    def grid(self) -> tuple[int, int]:
        """How many blocks a plane has, from top to bottom and from left to right."""
        return -(-self.height // self.block[0]), -(-self.width // self.block[1])


def layout_of(directory: Directory, limits: Limits) -> Layout:
    """The layout of a picture; raises `CropRefusedError` for one that is too large or cannot be told for sure."""
    number = directory.number
    width, height = number(tiff_tags.WIDTH, 0), number(tiff_tags.HEIGHT, 0)
    tile = number(tiff_tags.TILE_HEIGHT, 0), number(tiff_tags.TILE_WIDTH, 0)
    limits.check_size(width, height)
    limits.check_size(*tile)
    if width < 1 or height < 1 or min(tile) < 0:
        raise unsupported("TIFF", "it has no pixels")
    samples, photometric = number(tiff_tags.SAMPLES, 1), number(tiff_tags.PHOTOMETRIC, -1)
    bits = set(directory.numbers(tiff_tags.BITS)[:samples]) or {1}
    kinds = set(directory.numbers(tiff_tags.SAMPLE_FORMAT)[:samples]) or {UNSIGNED}
    rows = min(number(tiff_tags.ROWS_PER_STRIP, height), height) or height
    has_more = samples > _COLOURS.get(photometric, samples)
    layout = Layout(
        width=width,
        height=height,
        bits=max(bits),
        samples=samples,
        photometric=photometric,
        kind=max(kinds),
        method=number(tiff_tags.PACKING, tiff_blocks.PLAIN),
        differences=number(tiff_tags.PREDICTOR, _NO_PREDICTOR) == _DIFFERENCES,
        apart=number(tiff_tags.PLANES, 1) == _PLANES_APART and samples > 1,
        block=tile if all(tile) else (rows, width),
        is_tiled=all(tile),
        multiplied=has_more and number(tiff_tags.EXTRA_SAMPLES, 0) == _MULTIPLIED_ALPHA,
    )
    if len(bits) > 1 or len(kinds) > 1:
        raise unsupported("TIFF", "its samples are not alike")
    _check(layout, directory)
    if max(width * height, layout.block[0] * layout.block[1]) * samples * layout.bits // 8 > _MOST_BYTES:
        raise too_costly("TIFF", f"{width:,} x {height:,} pixels of {samples * layout.bits} bits")
    return layout


def _check(layout: Layout, directory: Directory) -> None:
    """Raise `CropRefusedError` for a kind of picture whose pixels cannot be told for sure."""
    photometric, bits, kind = layout.photometric, layout.bits, layout.kind
    if photometric not in _COLOURS or not _COLOURS[photometric] <= layout.samples <= _MOST_SAMPLES:
        raise unsupported("TIFF", f"{layout.samples} samples, told by method {photometric}")
    if bits not in _DEPTHS.get(kind, ()):
        raise unsupported("TIFF", f"samples of {bits} bits and kind {kind}")
    # There is no telling what black is.
    if photometric == WHITE_IS_ZERO and (kind != UNSIGNED or bits > 16):
        raise unsupported("TIFF", f"white is 0, in samples of {bits} bits and kind {kind}")
    if photometric == PALETTE and (bits > 8 or kind != UNSIGNED):
        raise unsupported("TIFF", f"a palette of {bits} bits")
    if photometric == INKS and directory.number(tiff_tags.INK_SET, _CMYK_INKS) != _CMYK_INKS:
        raise unsupported("TIFF", "inks other than cyan, magenta, yellow and black")
    if photometric in {LAB, ICC_LAB} and bits != 8:
        raise unsupported("TIFF", f"L*a*b* of {bits} bits")
    _check_packing(layout, directory)


def _check_packing(layout: Layout, directory: Directory) -> None:
    if layout.method == tiff_blocks.JPEG:
        plain = layout.bits == 8 and layout.samples == layout.colours and not layout.apart
        if not plain or layout.photometric not in _AS_JPEG:
            raise unsupported("TIFF", "JPEG of another kind than 8-bit grey or colour")
    elif layout.photometric == YCBCR:
        raise unsupported("TIFF", "YCbCr that is not packed as JPEG")
    if directory.number(tiff_tags.PREDICTOR, _NO_PREDICTOR) not in {_NO_PREDICTOR, _DIFFERENCES}:
        raise unsupported("TIFF", "a predictor for floats")
    if layout.differences and layout.bits not in {8, 16, 32, 64}:
        raise unsupported("TIFF", f"differences of {layout.bits} bits")


def blocks_of(data: bytes, directory: Directory, layout: Layout) -> tuple[list[Block], int]:
    """The blocks of the colours' planes, in the order of the file's list, and where the last of all blocks ends."""
    down, across = layout.grid
    planes = layout.samples if layout.apart else 1
    if down * across * planes > MOST_NUMBERS:
        raise too_costly("TIFF", f"{down * across * planes:,} blocks of rows")
    places, counts = (
        (tiff_tags.TILE_OFFSETS, tiff_tags.TILE_BYTES)
        if layout.is_tiled
        else (tiff_tags.STRIP_OFFSETS, tiff_tags.STRIP_BYTES)
    )
    offsets, lengths = directory.numbers(places), directory.numbers(counts)
    rows, columns = layout.block
    row_bytes = (columns * (1 if layout.apart else layout.samples) * layout.bits + 7) // 8
    heights = [rows if layout.is_tiled else min(rows, layout.height - rows * row) for row in range(down)]
    sizes = [(height, row_bytes) for height in heights for _ in range(across)] * planes
    if not lengths and layout.method == tiff_blocks.PLAIN:
        lengths = tuple(height * row_bytes for height, _ in sizes)
    if min(len(offsets), len(lengths)) < len(sizes):
        raise truncated("TIFF")
    end = max(offset + length for offset, length in zip(offsets, lengths, strict=False))
    wanted = down * across * (layout.kept if layout.apart else 1)
    return cut_out(data, offsets[:wanted], lengths[:wanted], sizes[:wanted], layout.method), end
