"""TIFF: what its tags say is checked before anything is unpacked, and what is unpacked is as long as it should be."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from monitor.crops.formats import tiff_blocks, tiff_layout
from monitor.crops.formats.pillow import silence_libtiff
from monitor.crops.loader import CropReader
from tests.support.encodings import tiff_of
from tests.support.pictures import PICTURE, decoded, encoded, outcome, refusal, tiff

if TYPE_CHECKING:
    from collections.abc import Iterator

LZW, DEFLATE, PACK_BITS = 5, 8, 32773
PLAIN = tiff_of(PICTURE, 8, 2, front=True)


class TestDamage:
    @pytest.mark.parametrize("method", [1, LZW, DEFLATE, PACK_BITS])
    @pytest.mark.parametrize("front", [False, True])
    def test_line_ends_replaced(self, method: int, front: bool) -> None:
        data = tiff_of(PICTURE ^ 10, 8, 2, method=method, front=front)
        assert b"\n" in data
        assert refusal(data.replace(b"\n", b"\r\n")).reason in {"damaged", "truncated", "undecodable", "too_costly"}

    def test_bytes_too_many(self) -> None:
        assert refusal(PLAIN + b"\1").reason == "damaged"
        assert refusal(PLAIN[:-50] + b"\r" + PLAIN[-50:]).reason == "damaged"
        # A writer may fill up to a whole block, and further pictures may follow.
        assert decoded(PLAIN + bytes(100)).tolist() == PICTURE.tolist()
        pages = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
        assert decoded(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])).tolist() == PICTURE.tolist()

    def test_every_flipped_bit_of_packed_data(self) -> None:
        data = tiff_of(PICTURE, 8, 2, method=DEFLATE, rows_per_strip=16)
        for place in range(8, struct.unpack_from("<I", data, 4)[0]):
            changed = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
            assert outcome(changed) == "damaged" or decoded(changed).tolist() == PICTURE.tolist()

    @pytest.mark.parametrize("method", [LZW, PACK_BITS])
    def test_what_libtiff_complains_of_is_refused_in_silence(self, method: int, loud_libtiff: Any) -> None:
        data = tiff_of(PICTURE, 8, 2, method=method, rows_per_strip=16)
        outcomes = set()
        for place in range(12, struct.unpack_from("<I", data, 4)[0] - 20, 5):
            outcomes.add(outcome(data[:place] + b"\xff\0\xaa\x55\xff\xff" + data[place + 6 :]))
        assert "damaged" in outcomes
        assert silence_libtiff()
        assert loud_libtiff() == b""

    def test_places_beyond_the_end(self) -> None:
        for length in range(4, len(PLAIN)):
            assert refusal(PLAIN[:length]).reason == "truncated"
        assert refusal(tiff(4, 1, bytes(4), t273=2**32 - 1)).reason == "truncated"


@pytest.fixture
def loud_libtiff(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What the process writes to standard error, C's libraries included."""
    silence_libtiff.cache_clear()
    capfd.readouterr()
    with capfd.disabled():
        reading, writing = os.pipe()
        kept = os.dup(2)
        os.dup2(writing, 2)
        os.set_blocking(reading, False)

        def read() -> bytes:
            try:
                return os.read(reading, 10_000)
            except BlockingIOError:
                return b""

        try:
            yield read
        finally:
            os.dup2(kept, 2)
            for descriptor in (reading, writing, kept):
                os.close(descriptor)


class TestEffort:
    def test_more_packed_data_than_the_picture_needs(self) -> None:
        empty = b"\0\0\0\xff\xff" * 10_000
        assert refusal(tiff(4, 1, b"\x78\x9c" + empty, t259=DEFLATE)).reason == "too_costly"

    def test_blocks_in_the_same_place(self) -> None:
        data = tiff_of(PICTURE, 8, 2, method=DEFLATE, rows_per_strip=1)
        (start,) = struct.unpack_from("<I", data, 4)
        entries = {struct.unpack_from("<H", data, start + 2 + 12 * row)[0]: start + 2 + 12 * row for row in range(12)}
        offsets, lengths = (struct.unpack_from("<I", data, entries[tag] + 8)[0] for tag in (273, 279))
        changed = bytearray(data)
        changed[offsets : offsets + 64] = struct.pack("<16I", *[8] * 16)
        changed[lengths : lengths + 64] = struct.pack("<16I", *[900] * 16)
        assert refusal(bytes(changed)).reason == "too_costly"

    def test_many_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tiff_layout, "MOST_NUMBERS", 15)
        assert refusal(tiff_of(PICTURE, 8, 2, rows_per_strip=1)).reason == "too_costly"

    def test_rows_that_unpack_to_too_much(self) -> None:
        large = CropReader(max_bytes=1, max_pixels=16_777_216)
        colours = {"t258": 64, "t262": 2, "t277": 3, "t339": 3}
        assert refusal(tiff(4000, 4000, bytes(4), **colours), large).reason == "too_costly"
        assert (
            refusal(tiff(9, 9, bytes(4), t322=4000, t323=4000, t324=8, t325=4, **colours), large).reason == "too_costly"
        )

    def test_tags_that_name_the_whole_file(self) -> None:
        entry = struct.pack("<HHII", 270, 2, 900_000, 8)
        data = b"II*\0" + struct.pack("<IH", 8, 9000) + entry * 9000 + bytes(4) + bytes(900_000)
        assert refusal(data).reason == "undecodable"
        numbers = struct.pack("<HHII", 273, 4, 200_000, 8)
        assert refusal(data.replace(entry, numbers)).reason == "too_costly"

    def test_a_jpeg_within_is_no_larger_than_its_rows(self) -> None:
        for side, reason in ((100, "too_many_pixels"), (8, "truncated")):
            jpeg = encoded(Image.new("L", (side, side)), "JPEG")
            assert refusal(tiff(16, 16, jpeg, t259=tiff_blocks.JPEG)).reason == reason
        jpeg = encoded(Image.new("L", (16, 16), 77), "JPEG")
        assert (decoded(tiff(16, 16, jpeg, t259=tiff_blocks.JPEG)) == 77).all()


@pytest.mark.parametrize("method", [LZW, PACK_BITS])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 7, 16, 99])
def test_strips_of_all_heights(method: int, planes: bool, rows: int) -> None:
    assert (
        decoded(tiff_of(PICTURE, 8, 2, method=method, planes=planes, rows_per_strip=rows)).tolist() == PICTURE.tolist()
    )


def test_counts_that_are_missing_or_too_large() -> None:
    strip = bytes(range(12))
    expected = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for lengths in (12, 13, 4000):
        assert decoded(tiff(4, 3, strip, t279=lengths))[..., 0].tolist() == expected.tolist()
    assert decoded(tiff(4, 3, strip).replace(struct.pack("<H", 279), struct.pack("<H", 999)))[..., 0].tolist() == (
        expected.tolist()
    )
