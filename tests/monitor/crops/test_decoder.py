"""The quick way to decode a JPEG gives what Pillow gives, and leaves to Pillow what it does not understand."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from generators.crops.datasets import CastingTable
from monitor.crops import decoder
from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks

if TYPE_CHECKING:
    from numpy.typing import NDArray

READER = CropReader(max_bytes=10_000_000, max_pixels=1_000_000)


def jpeg(pixels: NDArray[np.uint8], **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@cache
def crop() -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = CastingTable().holes[4].proliv(1, np.random.default_rng(2))[0]
    return pixels


def quickly(data: bytes) -> NDArray[np.uint8] | None:
    return decoder._decode_plain_jpeg(data, lambda _width, _height: None)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [20, 75, 95])
def test_the_pixels_are_those_of_pillow(subsampling: str, progressive: bool, quality: int) -> None:
    data = jpeg(crop(), subsampling=subsampling, progressive=progressive, quality=quality)
    pixels = quickly(data)
    assert pixels is not None
    assert np.array_equal(pixels, np.asarray(Image.open(BytesIO(data)).convert("RGB")))
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


def test_what_is_to_be_turned_or_has_other_colours_is_left_to_pillow() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = crop()[..., 0]
    assert quickly(jpeg(crop(), exif=exif)) is None
    assert quickly(jpeg(grey)) is None
    assert READER.decode(content(jpeg(crop(), exif=exif))).pixels.shape[:2] == crop().shape[1::-1]


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(CropRefusedError, match="2,000 x 1,000 pixels"):
        READER.decode(content(jpeg(np.zeros((1000, 2000, 3), dtype=np.uint8))))


def test_damaged_files_fare_as_they_do_with_pillow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(7)
    damaged = [damage(jpeg(crop()), generator) for _ in range(600)]
    outcomes = [outcome(data) for data in damaged]
    monkeypatch.setattr(decoder, "_decode_plain_jpeg", lambda *_: None)
    assert outcomes == [outcome(data) for data in damaged]
    assert any(isinstance(one, str) for one in outcomes)
    assert not all(isinstance(one, str) for one in outcomes)


def content(data: bytes) -> FileContent:
    return FileContent(data, "", Looks(len(data), 0, 0))


def damage(data: bytes, generator: np.random.Generator) -> bytes:
    """Change, take out or add a few bytes after the first, by which a JPEG is known."""
    changed = bytearray(data)
    for _ in range(generator.integers(1, 4)):
        place = int(generator.integers(4, len(changed)))
        match generator.integers(4):
            case 0 | 1:
                changed[place] = generator.integers(256)
            case 2:
                del changed[place]
            case _:
                changed.insert(place, int(generator.integers(256)))
    return bytes(changed)


def outcome(data: bytes) -> str | tuple[bytes, bool]:
    try:
        decoded = READER.decode(content(data))
    except CropRefusedError as refusal:
        return refusal.reason
    return decoded.pixels.tobytes(), decoded.ended
