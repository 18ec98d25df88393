"""One picture, written in many ways, each with the pixels that must be read."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from tests.support.encodings import (
    bmp_of,
    png_of,
    tiff_of,
)
from tests.support.pictures import PICTURE, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


GREY = PICTURE[..., :1]

ALPHA = np.full_like(GREY, 51)

PALETTES = {bits: np.random.default_rng(bits).integers(0, 256, (1 << bits, 3), np.uint8) for bits in (1, 2, 4, 8)}

INDICES = {bits: np.random.default_rng(9).integers(0, 1 << bits, GREY.shape, np.uint8) for bits in PALETTES}

CMYK = Image.fromarray(PICTURE).convert("CMYK")


class Case(NamedTuple):
    """``tolerance``: how far a sample may be from the expected one, where the format itself loses something."""

    data: Callable[[], bytes]
    expected: NDArray[np.uint8]
    tolerance: int = 0


def to_bits(eight_bits: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    """Samples of 8 bits as ones of other depths: rounded, or the 8 bits and others below them."""
    if bits >= 8:
        whole = eight_bits.astype(np.uint16)
        return whole << np.uint16(bits - 8) | whole >> np.uint16(16 - bits)
    return ((eight_bits.astype(np.uint16) * ((1 << bits) - 1) + 127) // 255).astype(np.uint16)


def shown(eight_bits: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """What these samples show once they are brought to so many bits."""
    return eight_bits if bits >= 8 else np.rint(to_bits(eight_bits, bits) * (255 / ((1 << bits) - 1))).astype(np.uint8)


def png_cases() -> Iterator[tuple[str, Case]]:
    colours = {0: GREY, 2: PICTURE, 4: np.dstack([GREY, ALPHA]), 6: np.dstack([PICTURE, ALPHA])}
    for colour, bits, interlaced in product(colours, (1, 2, 4, 8, 16), (False, True)):
        if bits < 8 and colour:
            continue
        picture, told = colours[colour], 3 if colour in {2, 6} else 1
        yield (
            f"PNG, {bits} bits of colour {colour}, interlaced: {interlaced}",
            Case(
                partial(png_of, to_bits(picture, bits), bits, colour, interlaced=interlaced),
                shown(picture[..., :told], bits),
            ),
        )
    for bits, transparent in product(PALETTES, (False, True)):
        chunks = [(b"PLTE", PALETTES[bits].tobytes()), (b"tRNS", bytes(1 << bits))][: 1 + transparent]
        yield (
            f"PNG, a palette of {bits} bits, transparent: {transparent}",
            Case(
                partial(png_of, INDICES[bits], bits, 3, *chunks),
                PALETTES[bits][INDICES[bits][..., 0]],
            ),
        )
    twelve = to_bits(GREY, 12) | 5
    yield "PNG, 12 bits in the place of 16", Case(partial(png_of, twelve, 16, 0, (b"sBIT", b"\x0c")), GREY)
    yield (
        "PNG, 12 bits spread over 16",
        Case(partial(png_of, twelve << 4 | twelve >> 8, 16, 0, (b"sBIT", b"\x0c")), GREY),
    )
    yield (
        "PNG, 12 bits spread over 16 in colour",
        Case(partial(png_of, to_bits(PICTURE, 12) << 4, 16, 2, (b"sBIT", b"\x0c\x0c\x0c")), PICTURE),
    )
    yield (
        "PNG, 5 bits in the place of 8 in colour",
        Case(partial(png_of, to_bits(PICTURE, 5), 8, 2, (b"sBIT", b"\5\5\5")), shown(PICTURE, 5), 1),
    )
    # Of a dark picture, the samples alone do not tell whether they fill the range.
    dark = GREY // 16
    spread = np.rint((to_bits(dark, 12) | 5) * (65_535 / 4095)).astype(np.uint16)
    yield "PNG, dark, 12 bits spread over 16", Case(partial(png_of, spread, 16, 0, (b"sBIT", b"\x0c")), dark)


def tiff_cases() -> Iterator[tuple[str, Case]]:
    for order, method, bits in product("<>", (1, 5, 8, 32773), (1, 4, 8, 10, 12, 16)):
        for planes, tile in product((False, True), (None, (16, 16))):
            where: dict[str, Any] = {"order": order, "method": method, "tile": tile}
            name = f"TIFF, {order} {bits} bits, packed by {method}, tile {tile}"
            yield (
                f"{name}, planes: {planes}",
                Case(
                    partial(tiff_of, to_bits(PICTURE, bits), bits, 2, planes=planes, **where),
                    shown(PICTURE, bits),
                ),
            )
            if planes:
                continue
            grey = to_bits(GREY, bits)
            for white in (0, 1):
                inverted = grey if white else (1 << bits) - 1 - grey
                yield (
                    f"{name}, {'black' if white else 'white'} is 0",
                    Case(
                        partial(tiff_of, inverted, bits, white, **where),
                        shown(GREY, bits),
                    ),
                )


def other_tiff_cases() -> Iterator[tuple[str, Case]]:
    wide = PICTURE.astype(np.uint64)
    for order in "<>":
        samples: dict[str, tuple[Any, int, int]] = {
            "integers up to 255": (wide.astype(np.uint32), 32, 1),
            "integers up to 65,535": (wide.astype(np.uint32) * 257, 32, 1),
            "integers of 32 bits": (wide.astype(np.uint32) << 24, 32, 1),
            "integers of 64 bits": (wide << np.uint64(56), 64, 1),
            "signed integers of 16 bits": (to_bits(PICTURE, 15).astype(np.int16), 16, 2),
            "signed integers of 32 bits": (wide.astype(np.int32) << 23, 32, 2),
            "floats up to 1": ((PICTURE / 255).astype(np.float32), 32, 3),
            "half floats up to 255": (PICTURE.astype(np.float16), 16, 3),
            "double floats up to 65,535": (PICTURE.astype(np.float64) * 257, 64, 3),
        }
        for name, (values, bits, kind) in samples.items():
            yield (
                f"TIFF, {order} {name}",
                Case(
                    partial(tiff_of, values, bits, 2, order=order, t339=(kind,) * 3),
                    PICTURE,
                ),
            )
        for bits, planes in product((8, 16, 32), (False, True)):
            values = (wide << np.uint64(bits - 8)).astype(f"u{bits // 8}")
            yield (
                f"TIFF, {order} differences of {bits} bits, planes: {planes}",
                Case(
                    partial(tiff_of, values, bits, 2, order=order, planes=planes, differences=True, method=5),
                    PICTURE,
                ),
            )
        for big, front in product((False, True), (False, True)):
            yield (
                f"TIFF, {order} big: {big}, directory in front: {front}",
                Case(
                    partial(tiff_of, PICTURE, 8, 2, order=order, big=big, front=front),
                    PICTURE,
                ),
            )
        for method in (1, 5, 8):
            yield (
                f"TIFF, {order} lowest bit first, packed by {method}",
                Case(
                    partial(tiff_of, PICTURE, 8, 2, order=order, method=method, reversed_bits=True),
                    PICTURE,
                ),
            )
        for bits, factor in product(PALETTES, (1, 257)):
            colours = tuple((PALETTES[bits].T.astype(int) * factor).ravel().tolist())
            yield (
                f"TIFF, {order} a palette of {bits} bits, told with {factor}",
                Case(
                    partial(tiff_of, INDICES[bits], bits, 3, order=order, t320=colours),
                    PALETTES[bits][INDICES[bits][..., 0]],
                ),
            )


def coloured_tiff_cases() -> Iterator[tuple[str, Case]]:
    multiplied = (PICTURE.astype(int) * 51 // 255).astype(np.uint8)
    for planes in (False, True):
        yield (
            f"TIFF, multiplied by its transparency, planes: {planes}",
            Case(partial(tiff_of, np.dstack([multiplied, ALPHA]), 8, 2, planes=planes, t338=1), PICTURE, 5),
        )
    yield "TIFF, transparent", Case(partial(tiff_of, np.dstack([PICTURE, ALPHA]), 8, 2, t338=2), PICTURE)
    yield "TIFF, grey and transparent", Case(partial(tiff_of, np.dstack([GREY, ALPHA]), 8, 1, t338=2), GREY)
    yield (
        "TIFF, signed integers of 8 bits",
        Case(partial(tiff_of, (PICTURE >> 1).astype(np.int8), 8, 2, t339=(2, 2, 2)), PICTURE, 2),
    )
    twelve = to_bits(GREY, 12)
    yield (
        "TIFF, 12 bits in the place of 16 by the highest value",
        Case(partial(tiff_of, twelve, 16, 1, t281=4095), GREY),
    )
    ome = b'<OME><Image><Pixels SignificantBits="12" SizeX="24"/></Image></OME>'
    yield "TIFF, 12 bits in the place of 16 by OME", Case(partial(tiff_of, twelve, 16, 1, t270=ome), GREY)
    inks = np.asarray(CMYK)
    for bits in (8, 16):
        yield (
            f"TIFF, inks of {bits} bits",
            Case(partial(tiff_of, to_bits(inks, bits), bits, 5), np.asarray(CMYK.convert("RGB"))),
        )
    lab = Image.fromarray(PICTURE).convert("LAB")
    signed = np.frombuffer(lab.tobytes("raw", "LAB"), np.uint8).reshape(PICTURE.shape)
    yield "TIFF, L*a*b*", Case(partial(tiff_of, signed, 8, 8), np.asarray(lab.convert("RGB")))
    yield (
        "TIFF, L*a*b* of ICC",
        Case(partial(tiff_of, signed ^ np.array([0, 128, 128], np.uint8), 8, 9), np.asarray(lab.convert("RGB"))),
    )
    for grey in (False, True):
        image = Image.fromarray(GREY[..., 0] if grey else PICTURE)
        yield (
            f"TIFF, packed as JPEG, grey: {grey}",
            Case(
                partial(encoded, image, "TIFF", compression="jpeg", quality=100),
                np.asarray(image.convert("RGB")),
                12,
            ),
        )


def bmp_cases() -> Iterator[tuple[str, Case]]:
    red, green, blue = (PICTURE[..., channel].astype(np.int64) for channel in range(3))
    for header, top_down in product((12, 40, 108, 124), (False, True)):
        if header == 12 and top_down:
            continue
        where: dict[str, Any] = {"header_bytes": header, "top_down": top_down}
        name = f"BMP, a header of {header} bytes, top down: {top_down}"
        for bits in (1, 4, 8):
            for kind, palette in (
                ("grey", np.repeat(np.arange(1 << bits, dtype=np.uint8)[:, None], 3, 1)),
                ("colour", PALETTES[bits]),
            ):
                yield (
                    f"{name}, a palette of {bits} bits, {kind}",
                    Case(
                        partial(bmp_of, INDICES[bits][..., 0], bits, palette=palette, **where),
                        palette[INDICES[bits][..., 0]],
                    ),
                )
        whole = red << 16 | green << 8 | blue
        yield f"{name}, 24 bits", Case(partial(bmp_of, whole, 24, **where), PICTURE)
        if header == 12:
            continue
        yield f"{name}, 32 bits", Case(partial(bmp_of, whole, 32, **where), PICTURE)
        other = red | green << 8 | blue << 16
        masks = (0xFF, 0xFF00, 0xFF0000)
        yield (
            f"{name}, by masks",
            Case(partial(bmp_of, other, 32, masks=masks, **where), PICTURE),
        )
        five, six = shown(PICTURE, 5), shown(PICTURE[..., 1:2], 6)
        short = to_bits(PICTURE, 5).astype(np.int64)
        fifteen = short[..., 0] << 10 | short[..., 1] << 5 | short[..., 2]
        sixteen = short[..., 0] << 11 | to_bits(PICTURE[..., 1], 6).astype(np.int64) << 5 | short[..., 2]
        yield f"{name}, 15 bits", Case(partial(bmp_of, fifteen, 16, **where), five)
        yield (
            f"{name}, 16 bits",
            Case(
                partial(bmp_of, sixteen, 16, masks=(0xF800, 0x7E0, 0x1F), **where),
                np.dstack([five[..., 0], six, five[..., 2]]),
            ),
        )


def other_cases() -> Iterator[tuple[str, Case]]:
    for mode, progressive in product(("RGB", "L", "CMYK"), (False, True)):
        image = Image.fromarray(PICTURE).convert(mode)
        yield (
            f"JPEG, {mode}, progressive: {progressive}",
            Case(
                partial(encoded, image, "JPEG", quality=100, subsampling=0, progressive=progressive),
                np.asarray(image.convert("RGB")),
                5,
            ),
        )
    yield (
        "JPEG, RGB as it is",
        Case(partial(encoded, Image.fromarray(PICTURE), "JPEG", quality=100, subsampling=0, keep_rgb=True), PICTURE, 5),
    )
    transparent = Image.fromarray(np.dstack([PICTURE, INDICES[1] * np.uint8(255)]))
    yield "WEBP", Case(partial(encoded, Image.fromarray(PICTURE), "WEBP", lossless=True), PICTURE)
    yield "WEBP, transparent", Case(partial(encoded, transparent, "WEBP", lossless=True, exact=True), PICTURE)
    other = Image.fromarray(PICTURE[::-1].copy())
    yield (
        "WEBP, animated",
        Case(
            partial(encoded, Image.fromarray(PICTURE), "WEBP", lossless=True, save_all=True, append_images=[other]),
            PICTURE,
        ),
    )


CASES = dict(
    case
    for cases in (png_cases, tiff_cases, other_tiff_cases, coloured_tiff_cases, bmp_cases, other_cases)
    for case in cases()
)
