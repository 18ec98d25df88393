"""The images that ``monitor gen avatar --images`` learns from: what they are read as, and what is refused."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from generators.avatars.sources import read_sources
from monitor.api import DataError, InputMissingError
from tests.generators.commands.conftest import images, refusal, run, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def animated(path: Path) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def sixteen_bits_of_colour(path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x12\x34" * 36) * 10)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("9.png", lambda path: save(path, "RGB", (10, 12)), r"is 10x12 pixels, but 0.png is 12x10; .*--resize 12x10"),
        ("9.png", lambda path: path.write_bytes(b"not an image"), "is damaged or not an image of a known kind"),
        ("9.png", lambda path: path.write_bytes(b""), "is damaged or not an image of a known kind"),
        ("9.png", truncated, "is damaged or not an image of a known kind"),
        ("9.gif", animated, "is animated"),
        ("9.png", animated, "is animated"),
        ("9.tif", animated, "has several pages"),
        ("9.png", lambda path: save(path, "I;16"), "has 16 bits a channel"),
        ("9.png", sixteen_bits_of_colour, "has 16 bits a channel"),
        ("9.tif", lambda path: save(path, "F"), "has the mode F"),
        ("9.jpg", lambda path: save(path, "CMYK"), "has the mode CMYK"),
        ("9.png", lambda path: save(path, "1", (5000, 5000)), "has 5000x5000 pixels"),
        ("9.png", lambda path: save(path, "1", (15000, 15000)), "is the most"),
        ("9.png", lambda path: path.symlink_to("nowhere"), "cannot be read"),
    ],
)
def test_images_that_do_not_fit(tmp_path: Path, name: str, make: Callable[[Path], None], said: str) -> None:
    folder = images(tmp_path / "in")
    make(folder / name)
    message = refusal(
        InputMissingError if said == "cannot be read" else DataError,
        *("--images", folder, "--output", tmp_path / "out"),
    )
    assert message.startswith(f"{folder / name}: ")
    assert re.search(said, message)
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "said"), [(0, "holds no image"), (1, "holds a single image, 0.png")])
def test_too_few_images(tmp_path: Path, count: int, said: str) -> None:
    folder = images(tmp_path / "in", count=count)
    (folder / "notes.txt").write_text("none")
    (folder / "._0.png").write_bytes(b"what another system keeps beside images")
    (folder / "folder.png").mkdir()
    assert said in refusal(DataError, "--images", folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "there is no such folder" in refusal(InputMissingError, "--images", tmp_path / "nowhere")
    assert "is a file" in refusal(InputMissingError, "--images", tmp_path / "file")


def test_too_many_pixels_in_all(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(8):
        save(folder / f"{number}.png", "L", (16, 16))
    message = refusal(DataError, "--images", folder, "--resize", "4096x4096")
    assert message.startswith(f"{folder}: 8 images of 4096x4096 pixels are too many")
    message = refusal(DataError, "--resize", "4096x4096")
    assert message.startswith("built-in faces: 12 images of 4096x4096 pixels are too many")


def test_images_of_different_sizes_are_brought_to_one(tmp_path: Path) -> None:
    folder = images(tmp_path / "in")
    save(folder / "9.png", "RGB", (30, 20))
    assert read_sources(folder, "first").pixels.shape == (4, 10, 12, 3)
    assert read_sources(folder, (7, 5)).pixels.shape == (4, 5, 7, 3)


def test_what_images_are_read_as(tmp_path: Path) -> None:
    """Grey, palettes and black-and-white become RGB; one with transparency makes all RGBA."""
    folder = images(tmp_path / "in", count=1)
    values = (np.arange(120, dtype=np.uint8) * 2).reshape(10, 12)
    grey = Image.fromarray(values)
    grey.save(folder / "grey.png")
    grey.convert("1").save(folder / "white.bmp")
    grey.convert("P").save(folder / "palette.gif")
    read = read_sources(folder)
    assert read.names == ("0.png", "grey.png", "palette.gif", "white.bmp")
    assert read.pixels.shape == (4, 10, 12, 3)
    np.testing.assert_array_equal(read.pixels[1], np.repeat(values[..., None], 3, axis=2))
    np.testing.assert_array_equal(read.pixels[2], read.pixels[1])
    Image.merge("LA", (grey, grey)).save(folder / "pale.png")
    grey.convert("P").save(folder / "stencil.png", transparency=0)
    read = read_sources(folder)
    assert read.pixels.shape == (6, 10, 12, 4)
    np.testing.assert_array_equal(read.pixels[2, ..., 3], values)
    assert set(np.unique(read.pixels[4, ..., 3])) == {0, 255}
    assert (read.pixels[[0, 1, 3, 5], ..., 3] == 255).all()


def test_images_are_turned_as_they_were_taken(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", size=(10, 12))
    turned = Image.new("RGB", (12, 10))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "9.jpg", exif=exif)
    assert read_sources(folder).pixels.shape == (4, 12, 10, 3)


def test_images_that_differ_in_too_little_may_be_copied_and_it_is_said(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", count=1)
    with Image.open(folder / "0.png") as image:
        image.putpixel((3, 3), (1, 2, 3))
        image.save(folder / "1.png")
    result = run("--images", folder, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "may be a copy" in result.stderr
