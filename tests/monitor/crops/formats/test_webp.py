"""WebP: as long as it says, and its first picture alone is decoded."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from monitor.crops.formats import webp as module
from tests.support.encodings import riff, webp_with
from tests.support.pictures import PICTURE, decoded, encoded, refusal

PLAIN = encoded(Image.fromarray(PICTURE), "WEBP", lossless=True)
TRANSPARENT = np.dstack([PICTURE, PICTURE[..., 0]])


@pytest.mark.parametrize("lossless", [False, True])
def test_line_ends_replaced_and_other_bytes_too_many_or_too_few(lossless: bool) -> None:
    data = encoded(Image.fromarray(PICTURE), "WEBP", lossless=lossless)
    assert refusal(data[:30] + b"\r" + data[30:]).reason == "damaged"
    assert refusal(data + b"\0").reason == "damaged"
    for length in range(12, len(data) - 1):
        assert refusal(data[:length]).reason == "truncated" or length < 30


def test_the_last_byte_that_makes_it_even_may_be_missing() -> None:
    odd = riff((b"VP8X", bytes([4, 0, 0, 0, 23, 0, 0, 15, 0, 0])), whole=PLAIN[12:], chunks=[(b"XMP ", b"odd")])
    uncounted = odd[:4] + struct.pack("<I", len(odd) - 9) + odd[8:]
    for data in (odd, uncounted, uncounted[:-1]):
        assert decoded(data).tolist() == PICTURE.tolist()


def test_transparency_is_not_even_unpacked() -> None:
    data = encoded(Image.fromarray(TRANSPARENT), "WEBP", quality=90)
    at = data.index(b"ALPH") + 8
    damaged = data[:at] + b"\xff" * 8 + data[at + 8 :]
    assert decoded(damaged).tolist() == decoded(data).tolist()


def test_the_picture_must_be_as_large_as_the_whole() -> None:
    for size in ((23, 16), (24, 17), (16, 24)):
        assert refusal(webp_with(PLAIN, size)).reason == "undecodable"
    assert decoded(webp_with(PLAIN, (24, 16))).tolist() == PICTURE.tolist()


def test_what_holds_no_picture() -> None:
    assert refusal(riff((b"EXIF", b""))).reason == "undecodable"
    assert refusal(riff((b"VP8 ", bytes(20)))).reason == "undecodable"
    assert refusal(riff((b"VP8L", bytes(20)))).reason == "undecodable"


def test_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHUNKS", 50)
    assert refusal(webp_with(PLAIN, (24, 16), *[(b"XMP ", b"")] * 50)).reason == "too_costly"
