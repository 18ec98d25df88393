"""TIFF: the first picture of a file, of the kinds whose pixels can be told for sure; others are refused.

Pillow and libtiff do not agree with other programs on deep, signed and inverted samples, nor on planes, so what the
bytes mean is told here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.crops.formats import tiff_blocks, tiff_tags
from monitor.crops.formats.jpeg import decode_jpeg
from monitor.crops.formats.orientation import UPRIGHT, of_xmp, upright
from monitor.crops.formats.samples import unpacked
from monitor.crops.formats.tiff_blocks import unpack
from monitor.crops.formats.tiff_colours import rgb_of
from monitor.crops.formats.tiff_layout import FLOAT, SIGNED, UNSIGNED, WHITE_IS_ZERO, YCBCR, blocks_of, layout_of
from monitor.crops.formats.tiff_tags import read_directory
from monitor.crops.refusals import Limits, damaged, truncated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.crops.formats.tiff_blocks import Block
    from monitor.crops.formats.tiff_layout import Layout
    from monitor.crops.formats.tiff_tags import Directory

_LOWEST_BIT_FIRST: Final = 2
# How `numpy` names each kind of samples.
_KINDS: Final = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}
# Adobe's segment of a JPEG; its last byte says whether the colours are YCbCr.
_ADOBE: Final = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


def decode_tiff(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Decode the first picture of a TIFF: uint8 (h, w, 3), RGB, upright. Colour profiles are ignored.

    Transparency is dropped, and undone where the colours were multiplied by it. Integers of more than 8 bits keep their
    upper 8, counted from the depth that is told; the negative half of signed ones is black. Of 32 bits and more, and of
    floats, no depth tells what white is: it is the smallest of 1 (floats only), 255, 65,535 and the whole range (of
    floats, the brightest sample) that holds all samples.
    """
    directory = read_directory(data)
    layout = layout_of(directory, limits)
    blocks, end = blocks_of(data, directory, layout)
    if directory.is_all and data[max(end, directory.end) :].strip(b"\0"):
        raise damaged("TIFF", "it is longer than its parts")
    if layout.method == tiff_blocks.JPEG:
        pixels = _from_jpegs(blocks, directory, layout)
        if layout.photometric == WHITE_IS_ZERO:
            pixels = 255 - pixels
    else:
        pixels = rgb_of(_assembled(blocks, directory, layout), directory, layout)
    orientation = directory.number(tiff_tags.ORIENTATION, 0)
    if not UPRIGHT <= orientation <= 8:
        orientation = of_xmp(directory.text(tiff_tags.XMP)) or UPRIGHT
    return upright(pixels, orientation)


def _assembled(blocks: list[Block], directory: Directory, layout: Layout) -> NDArray[Any]:
    """The samples that count, (h, w, samples), of the type that they have in the file."""
    is_reversed = directory.number(tiff_tags.FILL_ORDER, 1) == _LOWEST_BIT_FIRST
    (rows, columns), (down, across), kept = layout.block, layout.grid, layout.kept
    values: NDArray[Any] | None = None
    for number, block in enumerate(unpack(blocks, layout.method, is_reversed=is_reversed)):
        samples = _samples(block, directory.order, layout)[..., :kept]
        if values is None:
            values = np.empty((layout.height, layout.width, kept), samples.dtype)
        plane, place = divmod(number, down * across)
        top, left = rows * (place // across), columns * (place % across)
        into = values[top : top + rows, left : left + columns]
        if layout.apart:
            into[..., plane] = samples[: into.shape[0], : into.shape[1], 0]
        else:
            into[...] = samples[: into.shape[0], : into.shape[1]]
    assert values is not None
    return values


def _samples(block: NDArray[np.uint8], order: str, layout: Layout) -> NDArray[Any]:
    """A block's samples: uint8 (rows, bytes) -> (rows, columns, samples)."""
    columns, samples = layout.block[1], 1 if layout.apart else layout.samples
    if layout.bits not in {8, 16, 32, 64}:
        return unpacked(block, layout.bits, columns * samples).reshape(len(block), columns, samples)
    size = layout.bits // 8
    values = block.view(f"{order}u{size}").reshape(len(block), columns, samples).astype(f"=u{size}", copy=False)
    if layout.differences:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    return values.view(f"{_KINDS[layout.kind]}{size}")


def _from_jpegs(blocks: list[Block], directory: Directory, layout: Layout) -> NDArray[np.uint8]:
    tables = directory.text(tiff_tags.JPEG_TABLES).removesuffix(b"\xff\xd9")[2:]
    pixels = np.empty((layout.height, layout.width, 3), np.uint8)
    (rows, columns), (_, across) = layout.block, layout.grid
    adobe = _ADOBE + (b"\1" if layout.photometric == YCBCR else b"\0")
    for number, block in enumerate(blocks):
        stream = b"\xff\xd8" + adobe + tables + block.data[2:]
        decoded = decode_jpeg(stream, Limits(block.rows * columns))
        top, left = rows * (number // across), columns * (number % across)
        into = pixels[top : top + rows, left : left + columns]
        if decoded.shape[0] < into.shape[0] or decoded.shape[1] < into.shape[1]:
            raise truncated("TIFF")
        into[...] = decoded[: into.shape[0], : into.shape[1]]
    return pixels
