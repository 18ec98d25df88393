"""From bytes to pixels, through the reader: every format, depth and kind of damage."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from monitor.crops import decoder
from monitor.crops.loader import CropReader
from tests.support.pictures import (
    PICTURE,
    READER,
    TRANSIENT,
    VALID,
    content,
    decoded,
    encoded,
    outcome,
    png,
    refusal,
    tiff,
)


class TestDecode:
    @pytest.mark.parametrize("name", VALID)
    def test_valid_files(self, name: str) -> None:
        picture = READER.decode(content(VALID[name]))
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape == (picture.height, picture.width, 3)
        assert picture.pixels.flags.c_contiguous
        assert picture.pixels.flags.writeable
        assert picture.ended == name.startswith(("JPEG", "PNG"))

    @pytest.mark.parametrize("name", ["PNG", "BMP", "WEBP lossless", "TIFF", "TIFF deflate"])
    def test_lossless_formats_give_the_exact_pixels(self, name: str) -> None:
        np.testing.assert_array_equal(decoded(VALID[name]), PICTURE)

    @pytest.mark.parametrize("name", [name for name in VALID if not name.startswith("TIFF")])
    def test_end_marks(self, name: str) -> None:
        data = VALID[name]
        for other in (data + b"\0", data[:-1]):
            assert outcome(other) in {"not ended", "truncated", "damaged"}

    @pytest.mark.parametrize("name", VALID)
    def test_every_truncation_is_refused_or_not_ended(self, name: str) -> None:
        data = VALID[name]
        for length in range(1, len(data), 3):
            assert outcome(data[:length]) in {"not ended", *TRANSIENT}

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(VALID)), st.data())
    def test_damaged_files_never_crash(self, name: str, data: st.DataObject) -> None:
        damaged = bytearray(VALID[name])
        places = st.one_of(st.integers(0, min(120, len(damaged) - 1)), st.integers(0, len(damaged) - 1))
        for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
            damaged[place] = value
        outcome(bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))]))

    @settings(deadline=None)
    @given(
        st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF....WEBPVP8X", b"II*\0", b"MM\0+"]),
        st.binary(max_size=200),
    )
    def test_garbage_never_crashes(self, head: bytes, tail: bytes) -> None:
        outcome(head + tail)

    @pytest.mark.parametrize("data", [b"hello", b"\xff\xd8", b"GIF89a" + bytes(50), b"P6 1 1 255 abc", b"\x89PN"])
    def test_unknown_formats(self, data: bytes) -> None:
        assert refusal(data).reason == "unknown_format"

    def test_a_complete_but_damaged_file_is_not_called_truncated(self) -> None:
        assert refusal(png(4, 4, (b"IDAT", b"this is not deflated"))).reason == "undecodable"
        assert refusal(b"\xff\xd8\xff\xd9").reason == "damaged"
        assert "object at" not in str(refusal(b"BM" + struct.pack("<I", 80) + bytes(74)))

    def test_pixel_limit(self) -> None:
        for name in VALID:
            assert decoded(VALID[name], CropReader(max_bytes=9, max_pixels=384)).size == 384 * 3
            error = refusal(VALID[name], CropReader(max_bytes=9, max_pixels=383))
            assert error.reason == "too_many_pixels"
            assert "24 x 16" in str(error)
        with pytest.raises(ValueError, match="at most"):
            CropReader(max_bytes=9, max_pixels=decoder.LARGEST_PIXEL_LIMIT + 1)

    @pytest.mark.parametrize("side", [10_000, 12_000, 30_000, 2**31 - 1])
    def test_huge_pictures_are_refused_from_their_header(self, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_loading(*_: object) -> None:
            raise AssertionError("the pixels were to be decoded")

        monkeypatch.setattr(ImageFile.ImageFile, "load", no_loading)
        tiles = {"t322": 16, "t323": 16, "t324": 8, "t325": 4}
        bits = struct.pack("<I", min(side, 16_000) - 1 | (min(side, 16_000) - 1) << 14)
        for data in (
            png(side, side, (b"IDAT", zlib.compress(bytes(1000))), depth=1, colour=0),
            b"BM" + struct.pack("<IIIIiiHHII", 54, 0, 54, 40, side, side, 1, 24, 0, 0) + bytes(16),
            tiff(side, side, bytes(4)),
            tiff(side, side, bytes(4), **tiles),
            tiff(16, 16, bytes(4), **tiles | {"t322": side, "t323": side}),
            b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff" * 6,
            b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<IB", 10, 0x2F) + bits + bytes(14),
        ):
            assert refusal(data).reason == "too_many_pixels"

    @pytest.mark.parametrize("name", VALID)
    def test_pillow_s_warning_limit_is_not_ours(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        # It warns above the limit and refuses above twice the limit; the picture is between the two.
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", PICTURE.size // 3 - 1)
        assert decoded(VALID[name]).size == PICTURE.size

    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("orientation", range(10))
    def test_orientation(self, image_format: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        image = Image.fromarray(np.kron(PICTURE[::8, ::8], np.ones((32, 32, 1), np.uint8)))
        lossless: dict[str, Any] = {"quality": 100, "subsampling": 0} if image_format == "JPEG" else {"lossless": True}
        upright = np.asarray(image).astype(int)
        turned = {
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.transpose(1, 0, 2),
            6: np.rot90(upright, -1),
            7: np.rot90(upright, 2).transpose(1, 0, 2),
            8: np.rot90(upright),
        }.get(orientation, upright)
        pixels = decoded(encoded(image, image_format, exif=exif, **lossless))
        assert pixels.shape == turned.shape
        assert np.abs(pixels - turned).max() <= 4

    def test_damaged_metadata_do_not_cost_the_picture(self) -> None:
        entries = struct.pack(">H", 3) + struct.pack(">HHII", 0x010F, 2, 500, 9999) * 3
        for exif in (b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08" + entries, b"Exif\0\0MM\0*\xff\xff\xff\xff"):
            assert decoded(encoded(Image.fromarray(PICTURE), "JPEG", exif=exif)).shape == PICTURE.shape
        rows = zlib.compress(b"\0\x10\x20\x30")
        assert decoded(png(1, 1, (b"acTL", bytes(8)), (b"IDAT", rows))).tolist() == [[[16, 32, 48]]]

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB"])
    def test_modes(self, mode: str) -> None:
        image = Image.fromarray(PICTURE)
        image = image.convert("RGBA").convert(mode) if mode in {"P", "PA", "LA"} else image.convert(mode)
        pixels = decoded(encoded(image, "PNG" if mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else "TIFF"))
        expected = image.convert("RGB") if mode != "1" else image.convert("L").convert("RGB")
        np.testing.assert_array_equal(pixels, np.asarray(expected))

    def test_transparency_is_dropped(self) -> None:
        red = Image.new("P", (3, 2), 1)
        red.putpalette([0, 0, 0, 255, 0, 0])
        for transparency in (1, bytes([255, 0])):
            assert (decoded(encoded(red, "PNG", transparency=transparency)) == [255, 0, 0]).all()
        assert (decoded(encoded(Image.new("RGB", (3, 2), "red"), "PNG", transparency=(255, 0, 0))) == [255, 0, 0]).all()
        assert (decoded(encoded(Image.new("L", (3, 2), 9), "PNG", transparency=9)) == 9).all()
        assert (decoded(encoded(Image.new("RGBA", (3, 2), (1, 2, 3, 0)), "PNG")) == [1, 2, 3]).all()

    @pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
    def test_sixteen_bit_grey_keeps_its_upper_half(self, image_format: str) -> None:
        deep = np.array([[0, 255, 256, 0x80FF, 65_535]], np.uint16)
        pixels = decoded(encoded(Image.fromarray(deep), image_format))
        assert pixels[0, :, 0].tolist() == [0, 0, 1, 0x80, 255]
        assert (pixels == pixels[..., :1]).all()

    def test_sixteen_bit_grey_agrees_with_sixteen_bit_colour(self) -> None:
        row = struct.pack(">3H", 0x80FF, 0x1234, 0xFFFF)
        colour = png(1, 1, (b"IDAT", zlib.compress(b"\0" + row)), depth=16, colour=2)
        grey = png(3, 1, (b"IDAT", zlib.compress(b"\0" + row)), depth=16, colour=0)
        assert decoded(colour)[0, 0].tolist() == decoded(grey)[0, :, 0].tolist()

    @pytest.mark.parametrize(
        ("tags", "data", "expected"),
        [
            ({"t258": 12}, b"\xff\xff\xff\x80\x00\x0f", [255, 255, 128, 0]),
            ({"t258": 16, "t339": 2}, struct.pack("<4h", -5, 0, 128, 32_767), [0, 0, 1, 255]),
            ({"t258": 32}, struct.pack("<4I", 0, 1, 200, 255), [0, 1, 200, 255]),
            ({"t258": 32}, struct.pack("<4I", 0, 256, 512, 65_535), [0, 1, 2, 255]),
            ({"t258": 32}, struct.pack("<4I", 0, 2**24, 2**31, 2**32 - 1), [0, 1, 128, 255]),
            ({"t258": 32, "t339": 2}, struct.pack("<4i", -1, 0, 2**30, 2**31 - 1), [0, 0, 128, 255]),
            ({"t258": 32, "t339": 3}, struct.pack("<4f", 0, 0.5, 1, float("nan")), [0, 128, 255, 0]),
            ({"t258": 32, "t339": 3}, struct.pack("<4f", -1, 2, 100.4, 255), [0, 2, 100, 255]),
            ({"t258": 32, "t339": 3}, struct.pack("<4f", 0, 257, 514, 65_535), [0, 1, 2, 255]),
        ],
    )
    def test_deep_grey(self, tags: dict[str, int], data: bytes, expected: list[int]) -> None:
        assert decoded(tiff(4, 1, data, **tags))[0, :, 0].tolist() == expected

    def test_only_the_first_picture_counts(self) -> None:
        frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
        for image_format in ("PNG", "TIFF", "WEBP"):
            options = {"lossless": True} if image_format == "WEBP" else {}
            data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
            assert (decoded(data) == [255, 0, 0]).all()

    def test_threads_neither_mix_pixels_nor_touch_warnings(self) -> None:
        names = list(VALID) * 40
        expected = {name: decoded(VALID[name]) for name in VALID}
        noisy = tiff(4, 1, bytes(4), t270=7, t33432=9)
        filters = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            for name, pixels in zip(names, pool.map(lambda name: decoded(VALID[name]), names), strict=True):
                np.testing.assert_array_equal(pixels, expected[name])
            assert all(pixels.size for pixels in pool.map(decoded, [noisy] * 40))
        assert list(warnings.filters) == filters

    def test_warnings_stay_silent_whatever_filter_stands_in_front(self) -> None:
        data = encoded(
            Image.fromarray(PICTURE),
            "JPEG",
            exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\xff\xff\0\0\xff\xff",
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            TiffImagePlugin.ImageFileDirectory_v2(b"MM\0*\0\0\0\x08").load(io.BytesIO(data[data.index(b"MM\0*") + 8 :]))
            assert caught, "this is meant to be a file that Pillow warns about"
            caught.clear()
            assert decoded(data).shape == PICTURE.shape
            assert not caught
