from __future__ import annotations

import hashlib
import io
import os
import re
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from monitor.crops import decoder, identity, loader
from monitor.crops.identity import DEFAULT_TIME_FORMAT, IdentityPattern
from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks
from monitor.files.text import from_text, to_text
from monitor.files.walking import crop_paths
from monitor.words import Identity, Reason

MOSCOW = ZoneInfo("Europe/Moscow")
READER = CropReader(max_bytes=1_000_000, max_pixels=1_000_000)
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
TRANSIENT = {"unreadable", "empty", "unknown_format", "truncated", "undecodable"}

GRADIENT = np.stack(np.meshgrid(np.arange(24) * 10, np.arange(16) * 15), axis=-1).astype(np.uint8)
PICTURE = np.dstack([GRADIENT, np.full((16, 24), 77, np.uint8)])


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def content(data: bytes) -> FileContent:
    return FileContent(data, hashlib.sha256(data).hexdigest(), Looks(len(data), 0, 0))


def decoded(data: bytes, reader: CropReader = READER) -> np.ndarray:
    return reader.decode(content(data)).pixels


def refusal(data: bytes, reader: CropReader = READER) -> CropRefusedError:
    with pytest.raises(CropRefusedError) as caught:
        reader.decode(content(data))
    assert_well_formed(caught.value)
    return caught.value


def outcome(data: bytes) -> str:
    """Whether damaged or cut data were refused, and why, or decoded; anything but these two is a defect."""
    try:
        picture = READER.decode(content(data))
    except CropRefusedError as error:
        assert_well_formed(error)
        return error.reason
    assert 0 < picture.pixels.size <= 3_000_000
    return "ended" if picture.ended else "not ended"


def load_refusal(path: Path, reader: CropReader = READER) -> CropRefusedError:
    with pytest.raises(CropRefusedError) as caught:
        reader.load(path)
    assert_well_formed(caught.value)
    assert path.name not in str(caught.value)
    return caught.value


def assert_well_formed(error: CropRefusedError) -> None:
    assert type(error.reason) is str
    assert error.reason in set(Reason)
    assert error.transient == (error.reason in TRANSIENT)
    assert str(error).isprintable()
    assert 10 < len(str(error)) < 400


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def tiff(width: int, height: int, data: bytes, **tags: int) -> bytes:
    """A one-channel TIFF whose pixel data stand right after the header."""
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1}
    if "t322" not in tags:
        entries |= {273: 8, 278: height, 279: len(data)}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    start = struct.pack("<I", 8 + len(data))
    return b"II*\0" + start + data + struct.pack("<H", len(entries)) + directory + b"\0\0\0\0"


VALID = {
    "JPEG": encoded(
        Image.fromarray(PICTURE), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"
    ),
    "PNG": encoded(Image.fromarray(PICTURE), "PNG"),
    "PNG palette": encoded(Image.fromarray(PICTURE).quantize(16), "PNG", transparency=bytes(range(16))),
    "PNG deep": encoded(Image.fromarray(GRADIENT[..., 0].astype(np.uint16) * 257), "PNG"),
    "BMP": encoded(Image.fromarray(PICTURE), "BMP"),
    "WEBP": encoded(Image.fromarray(PICTURE), "WEBP"),
    "WEBP lossless": encoded(Image.fromarray(PICTURE), "WEBP", lossless=True),
    "TIFF": encoded(Image.fromarray(PICTURE), "TIFF"),
    "TIFF deflate": encoded(Image.fromarray(PICTURE), "TIFF", compression="tiff_adobe_deflate"),
}


class TestIdentity:
    def test_default_pattern(self) -> None:
        pattern = IdentityPattern(identity.DEFAULT_NAME_PATTERN, identity.DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse("10_CAM_C_01-03-2023_05-39-27-929.jpg") == Identity(
            10, "C", datetime(2023, 3, 1, 2, 39, 27, 929_000, tzinfo=UTC)
        )

    @pytest.mark.parametrize(
        "name",
        ["", "790af51f-7bb5-466b-ab12-60deae77e930.jpg", "10_CAM_C.jpg", "x10_CAM_C_01-03-2023_05-39-27-929.jpg", "\n"],
    )
    def test_a_name_that_says_nothing(self, name: str) -> None:
        pattern = IdentityPattern(identity.DEFAULT_NAME_PATTERN, identity.DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse(name) == Identity(None, None, None)

    @pytest.mark.parametrize("date", ["31-02-2023", "00-00-0000", "01-13-2023"])
    def test_an_impossible_date_costs_only_the_time(self, date: str) -> None:
        pattern = IdentityPattern(identity.DEFAULT_NAME_PATTERN, identity.DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse(f"10_CAM_C_{date}_05-39-27-929.jpg") == Identity(10, "C", None)

    def test_a_date_that_utc_cannot_express(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.*)", "%Y-%m-%d", MOSCOW)
        assert pattern.parse("0001-01-01").captured_at is None

    @pytest.mark.parametrize(
        ("text", "hole"),
        [("0", 0), ("007", 7), ("2147483647", 2**31 - 1), ("2147483648", None), ("9" * 200, None)]
        + [(text, None) for text in ("-1", "+1", " 1", "1_0", "1.0", "a", "²", "")],
    )
    def test_holes(self, text: str, hole: int | None) -> None:
        assert IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW).parse(text).hole == hole

    def test_an_absent_or_empty_group_is_none(self) -> None:
        pattern = IdentityPattern("(?P<hole>[0-9]+)?(?P<camera>[A-Z]*)", "%d-%m-%Y", MOSCOW)
        assert pattern.parse("!") == Identity(None, None, None)

    def test_a_camera_of_undecodable_bytes_can_be_stored(self) -> None:
        pattern = IdentityPattern("(?P<camera>.+)_", "%d-%m-%Y", MOSCOW)
        assert pattern.parse(os.fsdecode(b"\xffa_")).camera == "\\xffa"

    def test_the_repeated_hour_is_read_as_its_first_pass(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.+)", "%Y-%m-%d %H:%M", ZoneInfo("Europe/Berlin"))
        assert pattern.parse("2023-10-29 02:30").captured_at == datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
        assert pattern.parse("2023-03-26 02:30").captured_at == datetime(2023, 3, 26, 1, 30, tzinfo=UTC)

    def test_an_offset_in_the_name_outranks_the_zone(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.+)", "%Y-%m-%d %H:%M%z", MOSCOW)
        assert pattern.parse("2023-10-29 02:30+0100").captured_at == datetime(2023, 10, 29, 1, 30, tzinfo=UTC)

    @pytest.mark.parametrize("pattern", ["(", "(?P<hole>", "*", "a{99999999999999}", "(" * 5000 + ")" * 5000])
    def test_a_pattern_that_does_not_compile(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="is not a regular expression"):
            IdentityPattern(pattern, "%d-%m-%Y", MOSCOW)

    @pytest.mark.parametrize("pattern", ["", ".*", "(?P<holes>.*)"])
    def test_a_pattern_without_a_known_group(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="at least one is needed"):
            IdentityPattern(pattern, "%d-%m-%Y", MOSCOW)

    @pytest.mark.parametrize("time_format", ["%Q-%d-%m-%Y", "%d-%m-%Y %", "%H:%M", "%d-%m", "", "%d-%d-%m-%Y"])
    def test_an_unusable_time_format(self, time_format: str) -> None:
        with pytest.raises(ValueError, match="the time format"):
            IdentityPattern("(?P<hole>.*)", time_format, MOSCOW)

    def test_frozen_and_comparable(self) -> None:
        pattern = IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW)
        assert pattern == IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW)
        assert hash(pattern) == hash(IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW))
        with pytest.raises(AttributeError):
            pattern.pattern = "x"  # type: ignore[misc]

    @given(st.text(max_size=255))
    def test_any_name(self, name: str) -> None:
        pattern = IdentityPattern(identity.DEFAULT_NAME_PATTERN, identity.DEFAULT_TIME_FORMAT, MOSCOW)
        hole, camera, captured_at = pattern.parse(name)
        assert hole is None or 0 <= hole <= identity.LARGEST_HOLE
        assert camera is None or camera.encode()
        assert captured_at is None or captured_at.utcoffset() is not None


class TestLoad:
    def test_content(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"abc")
        status = path.stat()
        assert READER.load(path) == FileContent(
            b"abc", hashlib.sha256(b"abc").hexdigest(), Looks(3, status.st_mtime_ns, status.st_ctime_ns)
        )

    @pytest.mark.parametrize(
        "name",
        [
            b"with space.jpg",
            b'it\'s "so".jpg',
            b"two\nlines.jpg",
            b"\xff\xfe\x80.jpg",
            b"a" * 251 + b".jpg",
            b"-rf.jpg",
        ],
    )
    def test_any_name(self, tmp_path: Path, name: bytes) -> None:
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(b"abc")
        assert READER.load(path).data == b"abc"
        assert list(crop_paths(tmp_path)) == [path]
        assert from_text(to_text(path)) == path

    def test_vanished(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert load_refusal(tmp_path / "a.jpg").reason == "vanished"
        assert load_refusal(tmp_path / "file" / "a.jpg").reason == "vanished"

    def test_symbolic_links(self, tmp_path: Path) -> None:
        (tmp_path / "real.jpg").write_bytes(b"abc")
        for name, target in (("1.jpg", "real.jpg"), ("2.jpg", "nowhere"), ("3.jpg", "3.jpg"), ("4.jpg", ".")):
            (tmp_path / name).symlink_to(target)
            assert load_refusal(tmp_path / name).reason == "symlink"

    def test_pipes_sockets_devices_and_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe.jpg")
        Path("folder.jpg").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.jpg")
            for path in ("pipe.jpg", "folder.jpg", "socket.jpg", "/dev/null"):
                assert load_refusal(Path(path)).reason == "not_a_file"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not read")
    @pytest.mark.process
    def test_unreadable_as_root(self, tmp_path: Path) -> None:
        # In a child process: giving privileges away cannot be taken back.
        (tmp_path / "a.jpg").write_bytes(b"abc")
        (tmp_path / "closed").mkdir()
        for path, mode in ((tmp_path / "a.jpg", 0), (tmp_path / "closed", 0), (tmp_path, 0o755)):
            path.chmod(mode)
        program = """if True:
            import os, sys
            from pathlib import Path
            from monitor.crops.loader import CropReader; from monitor.files.walking import crop_paths
            from monitor.errors import CropRefusedError, InputMissingError
            reader = CropReader(max_bytes=9, max_pixels=9)
            folder = os.open(sys.argv[1], os.O_RDONLY)
            os.fchdir(folder)
            os.setuid(65534)
            try:
                reader.load(Path("a.jpg"))
            except CropRefusedError as error:
                print(error.reason, error.transient)
            told = []
            print([*crop_paths(Path("."), lambda path, error: told.append(str(path)))], told)
            for folder in ("closed", "."):
                try:
                    print([*crop_paths(Path(folder))])
                except InputMissingError as error:
                    print(error)
        """
        result = subprocess.run(
            [sys.executable, "-c", program, tmp_path],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(loader.__file__).parents[2])},
        )
        assert result.stderr == ""
        assert result.stdout.splitlines() == [
            "unreadable True",
            "[PosixPath('a.jpg')] ['closed']",
            *["closed: this folder may not be read; give the user who runs this program read permission"] * 2,
        ]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; the test above stands in")
    def test_unreadable(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"abc")
        path.chmod(0)
        assert load_refusal(path).reason == "unreadable"

    def test_sizes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        reader = CropReader(max_bytes=3, max_pixels=1)
        path.touch()
        assert load_refusal(path, reader).reason == "empty"
        path.write_bytes(b"abc")
        assert reader.load(path).looks.size_bytes == 3
        path.write_bytes(b"abcd")
        assert load_refusal(path, reader).reason == "too_large"

    def test_a_huge_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        with path.open("wb") as stream:
            stream.truncate(2**40)
        assert load_refusal(path).reason == "too_large"

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"start")
        read = os.read

        def read_and_grow(descriptor: int, size: int) -> bytes:
            block = read(descriptor, size)
            with path.open("ab") as stream:
                stream.write(b"x" * 40_000)
            return block

        with monkeypatch.context() as patch:
            patch.setattr(os, "read", read_and_grow)
            assert load_refusal(path, CropReader(max_bytes=100_000, max_pixels=1)).reason == "too_large"
            assert path.stat().st_size < 400_000


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
            assert outcome(other) in {"not ended", "truncated"}

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

    @pytest.mark.parametrize("data", [b"hello", b"\xff\xd8", b"GIF89a" + bytes(50), b"P6 1 1 255 abc", b"\x89PNG"])
    def test_unknown_formats(self, data: bytes) -> None:
        assert refusal(data).reason == "unknown_format"

    def test_a_complete_but_damaged_file_is_not_called_truncated(self) -> None:
        assert refusal(png(4, 4, (b"IDAT", b"this is not deflated"))).reason == "undecodable"
        assert refusal(b"\xff\xd8\xff\xd9").reason in {"truncated", "undecodable"}
        assert "object at" not in str(refusal(b"BM" + struct.pack("<I", 80) + bytes(74)))

    def test_pictures_without_pixels(self) -> None:
        assert refusal(png(0, 5, (b"IDAT", zlib.compress(b"")))).reason == "undecodable"

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


@given(
    time_format=st.sampled_from(
        [
            *(DEFAULT_TIME_FORMAT, "%Y%m%d%H%M%S%f", "%f.%S.%M %H %Y/%m/%d"),
            *("%Y-%m-%d", "%d.%m.%Y %H:%M", "%y%m%d_%H", "%b %d %Y"),
        ]
    ),
    numbers=st.lists(st.integers(0, 9999), min_size=7, max_size=7),
    moment=st.datetimes(),
)
def test_times_of_digits_are_read_as_strptime_does(time_format: str, numbers: list[int], moment: datetime) -> None:
    pattern = IdentityPattern("(?P<captured_at>.*)", time_format, MOSCOW)
    directives = re.findall("%.", time_format)
    odd = time_format
    for directive, number in zip(directives, numbers, strict=False):
        odd = odd.replace(directive, str(number), 1)
    for text in (moment.strftime(time_format), odd):
        try:
            read = datetime.strptime(text, time_format).replace(tzinfo=MOSCOW).astimezone(UTC)
        except (ValueError, OverflowError):
            read = None
        assert pattern.parse(text).captured_at == read
