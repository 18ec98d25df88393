"""JPEG: what is decoded is what Pillow decodes, and what was damaged on the way is refused."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from generators.crops.datasets import CastingTable
from monitor.crops.formats.jpeg import MOST_SCANS, decode_jpeg
from monitor.crops.formats.jpeg_parts import plain_header, take_apart
from monitor.crops.refusals import Limits
from monitor.errors import CropRefusedError
from tests.support.encodings import jpeg_with
from tests.support.pictures import READER, content, encoded, outcome, refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS = Limits(1_000_000)
END = b"\xff\xd9"


@cache
def crop() -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = CastingTable().holes[4].proliv(1, np.random.default_rng(2))[0]
    return pixels


def jpeg(pixels: NDArray[np.uint8] | None = None, **options: Any) -> bytes:
    return encoded(Image.fromarray(crop() if pixels is None else pixels), "JPEG", **options)


def by_pillow(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def scan_start(data: bytes) -> int:
    """Where the data of the last scan begin."""
    start = data.rindex(b"\xff\xda")
    return start + 2 + int.from_bytes(data[start + 2 : start + 4])


def reason_of(data: bytes) -> str:
    return refusal(data).reason


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [20, 75, 95])
def test_the_pixels_are_those_of_pillow(subsampling: str, progressive: bool, quality: int) -> None:
    data = jpeg(subsampling=subsampling, progressive=progressive, quality=quality)
    pixels = decode_jpeg(data, LIMITS)
    assert np.array_equal(pixels, by_pillow(data))
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


def test_what_a_camera_writes_is_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.crops.formats.jpeg.take_apart", None)
    for pixels in (crop(), crop()[..., 0]):
        data = jpeg(pixels)
        assert plain_header(data) is not None
        assert np.array_equal(decode_jpeg(data, LIMITS), by_pillow(data))


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)
    wide = np.zeros((1000, 2000, 3), dtype=np.uint8)
    for data in (jpeg(wide), jpeg(wide, progressive=True)):
        with pytest.raises(CropRefusedError, match="2,000 x 1,000 pixels"):
            decode_jpeg(data, LIMITS)


class TestEffort:
    """Pictures that take tens of seconds are refused from their markers."""

    @pytest.mark.parametrize(("side", "scans"), [(16, MOST_SCANS), (900, 20)])
    def test_many_scans(self, side: int, scans: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(simplejpeg, "decode_jpeg", None)
        picture = np.zeros((side, side, 3), np.uint8)
        progressive = jpeg(picture, progressive=True)
        again = progressive[progressive.rindex(b"\xff\xda") : -2]
        assert reason_of(progressive[:-2] + again * scans + END) == "too_costly"
        header = jpeg(picture)[: jpeg(picture).rindex(b"\xff\xda")]
        of_one_component = b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(9)
        assert reason_of(header + of_one_component * (scans + 1) + END) == "too_costly"

    def test_a_thumbnail_is_no_scan(self) -> None:
        data = jpeg(progressive=True)
        thumbnails = jpeg_with(data, *[b"Exif\0\0" + jpeg()] * MOST_SCANS)
        assert np.array_equal(decode_jpeg(thumbnails, LIMITS), by_pillow(data))

    def test_many_segments(self) -> None:
        data = jpeg(progressive=True)
        assert reason_of(data[:2] + b"\xff\xfe\0\2" * 10_000 + data[2:]) == "too_costly"


class TestDamage:
    """The library only warns of these, and goes on with wrong pixels."""

    def test_line_ends_replaced(self) -> None:
        for data in (jpeg(), jpeg(crop()[..., 0]), jpeg(progressive=True), jpeg(quality=90)):
            assert reason_of(data.replace(b"\n", b"\r\n")) == "damaged"

    def test_zeros_in_the_place_of_data(self) -> None:
        for pixels in (crop(), crop()[..., 0]):
            data = jpeg(pixels)
            for start in range(scan_start(data), len(data) - 20, 7):
                assert reason_of(data[:start] + bytes(16) + data[start + 16 :]) == "damaged"

    def test_a_flat_picture_may_have_such_zeros(self) -> None:
        flat = np.full((160, 160), 128, np.uint8)
        data = jpeg(flat, optimize=True)
        assert bytes(8) in data[scan_start(data) :]
        assert np.array_equal(decode_jpeg(data, LIMITS), by_pillow(data))

    def test_bytes_missing_from_the_middle(self) -> None:
        data = jpeg()
        for start in range(scan_start(data) + 20, len(data) - 220, 40):
            assert reason_of(data[:start] + data[start + 200 :]) == "damaged"

    def test_what_is_not_refused_is_decoded_as_pillow_does(self) -> None:
        generator = np.random.default_rng(7)
        outcomes = set()
        for _ in range(600):
            data = changed(jpeg(), generator)
            found = outcome(data)
            outcomes.add(found)
            if found == "ended":
                assert np.array_equal(decode_jpeg(data, LIMITS), by_pillow(data))
        assert outcomes >= {"ended", "damaged"}

    def test_what_is_not_decoded_is_not_called_damaged(self) -> None:
        data = bytearray(jpeg())
        frame = data.index(b"\xff\xc0")
        data[frame + 4] = 12  # bits of a sample
        assert reason_of(bytes(data)) == "undecodable"


class TestHarmless:
    """What cameras and programs do that changes no pixel."""

    @pytest.mark.parametrize("count", [1, 2, 16, 1000])
    def test_zeros_that_fill_up_to_the_end_mark(self, count: int) -> None:
        for data in (jpeg(), jpeg(progressive=True)):
            filled = data[:-2] + bytes(count) + END
            assert np.array_equal(decode_jpeg(filled, LIMITS), by_pillow(data))
        assert reason_of(jpeg()[:-2] + b"\x5a" * 200 + END) == "damaged"

    def test_bytes_behind_the_end_mark(self) -> None:
        data = jpeg()
        for behind in (bytes(512), b"\r\n", data, b"SEFT" + bytes(30) + END):
            decoded = READER.decode(content(data + behind))
            assert np.array_equal(decoded.pixels, by_pillow(data))
            assert decoded.ended == (data + behind).endswith(END)

    def test_more_metadata_than_told(self) -> None:
        data = jpeg()
        for head in (b"\xff\xe1\0\x0ahttp:///", b"\xff\xfe\0\4ab", b"\xff\xe2\0\x0eICC_PROFILE\0"):
            odd = data[:20] + head + bytes(7) + data[20:]
            assert np.array_equal(decode_jpeg(odd, LIMITS), by_pillow(data))

    def test_a_damaged_colour_profile(self) -> None:
        data = jpeg()
        profile = b"\xff\xe2" + struct.pack(">H", 30) + b"ICC_PROFILE\0\7\2" + bytes(14)
        odd = data[:20] + profile + data[20:]
        assert np.array_equal(decode_jpeg(odd, LIMITS), by_pillow(data))

    def test_a_version_of_jfif_that_there_is_none_of(self) -> None:
        data = jpeg()
        at = data.index(b"JFIF\0") + 5
        odd = data[:at] + b"\7" + data[at + 1 :]
        assert np.array_equal(decode_jpeg(odd, LIMITS), by_pillow(data))


class TestEndMark:
    """A JPEG whose pixels are all there is decoded without its end mark too, and counts as complete once it settles."""

    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("cut", [1, 2])
    def test_a_whole_picture(self, progressive: bool, cut: int) -> None:
        data = jpeg(progressive=progressive)
        decoded = READER.decode(content(data[:-cut]))
        assert np.array_equal(decoded.pixels, by_pillow(data))
        assert not decoded.ended
        assert READER.decode(content(data)).ended

    @pytest.mark.parametrize("progressive", [False, True])
    def test_anything_less_is_truncated(self, progressive: bool) -> None:
        data = jpeg(progressive=progressive)
        for length in range(3, len(data) - 2):
            assert reason_of(data[:length]) == "truncated"

    def test_scans_of_single_components(self) -> None:
        # As some scanners write: cut behind the first of three scans, no data are missing that were begun.
        data = jpeg(progressive=True)
        scans = take_apart(data).scans
        assert len(scans) > 3
        behind_the_first = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
        assert reason_of(data[:behind_the_first]) == "truncated"

    def test_data_that_end_in_a_zero(self) -> None:
        flat = np.full((16, 16), 128, np.uint8)
        noisy = np.random.default_rng(0)
        found = 0
        for _ in range(2000):
            flat[8:, 8:] = noisy.integers(0, 256, (8, 8))
            data = jpeg(flat)
            if data.endswith(b"\0" + END) and not data.endswith(b"\xff\0" + END):
                assert np.array_equal(READER.decode(content(data[:-2])).pixels, by_pillow(data))
                found += 1
        assert found

    @pytest.mark.parametrize("count", [3, 6, 60])
    def test_space_that_was_reserved_and_not_written_to(self, count: int) -> None:
        data = jpeg()
        assert reason_of(data[:-count] + bytes(count)) == "truncated"
        assert np.array_equal(decode_jpeg(data[:-2] + bytes(count), LIMITS), by_pillow(data))


def changed(data: bytes, generator: np.random.Generator) -> bytes:
    """Change, take out or add a few bytes after the first, by which a JPEG is known."""
    result = bytearray(data)
    for _ in range(generator.integers(1, 4)):
        place = int(generator.integers(4, len(result)))
        match generator.integers(4):
            case 0 | 1:
                result[place] = generator.integers(256)
            case 2:
                del result[place]
            case _:
                result.insert(place, int(generator.integers(256)))
    return bytes(result)
