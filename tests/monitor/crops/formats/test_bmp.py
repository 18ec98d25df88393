"""BMP: as long as it says or as its rows are."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.support.encodings import bmp_of
from tests.support.pictures import PICTURE, decoded, encoded, refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = encoded(Image.fromarray(PICTURE), "BMP")
PALETTE = np.random.default_rng(3).integers(0, 256, (256, 3), np.uint8)


def with_length(data: bytes, length: int) -> bytes:
    return data[:2] + struct.pack("<I", length) + data[6:]


def runs_of(indices: NDArray[np.uint8], bits: int, body: bytes) -> bytes:
    """A BMP of packed runs."""
    plain = bmp_of(indices, bits, palette=PALETTE[: 1 << bits])
    start = 54 + 4 * (1 << bits)
    packed = plain[:30] + struct.pack("<II", 1 if bits == 8 else 2, len(body)) + plain[38:start] + body
    return with_length(packed, len(packed))


def test_line_ends_replaced_and_other_bytes_too_many_or_too_few() -> None:
    for changed in (DATA.replace(b"\x0a", b"\x0d\x0a"), DATA + b"\1", DATA[:80] + b"\r" + DATA[80:]):
        assert refusal(changed).reason == "damaged"
    for length in range(2, len(DATA)):
        assert refusal(DATA[:length]).reason == "truncated"


def test_writers_that_do_not_count_well() -> None:
    for told in (0, 54, len(DATA) + 2):
        assert decoded(with_length(DATA, told)).tolist() == PICTURE.tolist()
    profile = b"a colour profile"
    assert decoded(with_length(DATA + profile, len(DATA + profile))).tolist() == PICTURE.tolist()
    assert decoded(DATA + bytes(458)).tolist() == PICTURE.tolist()


def test_a_palette_that_the_start_of_the_rows_leaves_out() -> None:
    indices = np.arange(24 * 16, dtype=np.uint8).reshape(16, 24)
    data = bmp_of(indices, 8, palette=PALETTE)
    forgotten = data[:10] + struct.pack("<I", 54) + data[14:]
    assert decoded(forgotten).tolist() == PALETTE[indices].tolist()


@pytest.mark.parametrize("bits", [4, 8])
def test_packed_runs(bits: int) -> None:
    indices = np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 6, axis=1).repeat(6, axis=0)
    one, other = (indices[row, :].tolist() for row in (11, 0))
    double = [value * 17 if bits == 4 else value for value in (one[0], one[6], other[0], other[6])]
    lower = bytes([6, double[0], 6, double[1], 0, 0]) * 6
    upper = bytes([6, double[2], 6, double[3], 0, 0]) * 6
    data = runs_of(indices, bits, lower + upper + b"\0\1")
    assert decoded(data).tolist() == PALETTE[indices].tolist()
    assert refusal(data[:-3]).reason == "truncated"
    assert refusal(data + b"\n").reason == "damaged"


def test_many_runs_take_too_long() -> None:
    large = np.zeros((600, 600), np.uint8)
    assert refusal(runs_of(large, 8, b"\xff\0" * 1500)).reason == "too_costly"
    assert refusal(runs_of(large[:9, :9], 8, b"\0\2\0\0" * 262_145)).reason == "too_costly"


def test_headers_of_pictures_that_there_are_none_of() -> None:
    for place, value in ((14, 41), (28, 7), (30, 4), (30, 9), (18, 0x80000000), (22, 0)):
        changed = DATA[:place] + struct.pack("<I", value) + DATA[place + 4 :]
        assert refusal(changed).reason == "undecodable"
