"""PNG: every chunk is checked, and what is beside the picture takes neither time nor memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from monitor.crops.formats import png as module
from tests.support.encodings import png_of
from tests.support.pictures import PICTURE, READER, content, decoded, encoded, outcome, png, refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = encoded(Image.fromarray(PICTURE), "PNG")
WIDE = PICTURE.repeat(8, axis=0).repeat(8, axis=1) ^ np.random.default_rng(0).integers(0, 9, (128, 192, 3), np.uint8)


def rows(picture: NDArray[np.uint8]) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture))


class TestDamage:
    def test_line_ends_replaced(self) -> None:
        for changed in (DATA.replace(b"\n", b"\r\n"), DATA.replace(b"\r\n", b"\n")):
            error = refusal(changed)
            assert error.reason == "damaged"
            assert "ASCII" in str(error)

    def test_every_flipped_bit_and_every_zeroed_byte(self) -> None:
        for place in range(8, len(DATA)):
            for value in {DATA[place] ^ 1 << place % 8, 0} - {DATA[place]}:
                changed = DATA[:place] + bytes([value]) + DATA[place + 1 :]
                assert outcome(changed) in {"damaged", "truncated"} or decoded(changed).tolist() == PICTURE.tolist()

    def test_a_chunk_beside_the_picture(self) -> None:
        with_text = png_of(PICTURE, 8, 2, (b"tEXt", b"Comment\0zinc"))
        assert refusal(with_text.replace(b"zinc", b"iron")).reason == "damaged"

    def test_a_whole_picture_without_an_end_mark_is_decoded(self) -> None:
        for cut in (1, 5, 12):
            picture = READER.decode(content(DATA[:-cut]))
            assert picture.pixels.tolist() == PICTURE.tolist()
            assert not picture.ended
        for length in range(4, len(DATA) - 12):
            assert refusal(DATA[:length]).reason == "truncated"


class TestEffort:
    def test_more_packed_data_than_the_picture_needs(self) -> None:
        # An empty block of deflate takes five bytes, and as long as a full one.
        empty = b"\0\0\0\xff\xff" * 10_000
        whole = rows(PICTURE)
        assert refusal(png(24, 16, (b"IDAT", whole[:2] + empty + whole[2:]))).reason == "too_costly"

    def test_many_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_CHUNKS", 50)
        assert refusal(png(24, 16, *[(b"tEXt", b"a\0b")] * 50, (b"IDAT", rows(PICTURE)))).reason == "too_costly"

    def test_packed_texts_profiles_and_films_are_left_packed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bomb = zlib.compress(bytes(1_000_000))
        unpacked: list[bytes] = []

        def unpack(text: bytes) -> bytes:
            unpacked.append(text)
            return b""

        monkeypatch.setattr(module, "_unpacked", unpack)
        chunks = [(b"iCCP", b"a\0\0" + bomb), (b"zTXt", b"a\0\0" + bomb), (b"iTXt", b"a\0\1\0\0\0" + bomb)]
        told = [(b"zTXt", b"Raw profile type exif\0\0" + bomb), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)]
        film = [(b"acTL", b"\0\0\0\2\0\0\0\0"), (b"fcTL", bytes(26))]
        data = png(24, 16, *(chunks + told + film) * 20, (b"IDAT", rows(PICTURE)), (b"fdAT", bytes(4) + bomb))
        assert decoded(data).tolist() == PICTURE.tolist()
        assert len(unpacked) == 2

    def test_a_text_is_unpacked_to_a_limit(self) -> None:
        assert len(module._unpacked(zlib.compress(bytes(9_000_000)))) == 1 << 20


@pytest.mark.parametrize("interlaced", [False, True])
def test_data_in_many_chunks(interlaced: bool) -> None:
    whole = png_of(WIDE, 8, 2, interlaced=interlaced)
    start, end = whole.index(b"IDAT") + 4, whole.rindex(b"IEND") - 8
    packed = whole[start:end]
    parts = [packed[at : at + 1000] for at in range(0, len(packed), 1000)]
    data = png(192, 128, *[(b"IDAT", part) for part in (b"", *parts)], interlaced=interlaced)
    assert decoded(data).tolist() == WIDE.tolist()


@pytest.mark.parametrize(("depth", "colour"), [(3, 0), (8, 1), (16, 3), (4, 2)])
def test_headers_of_pictures_that_there_are_none_of(depth: int, colour: int) -> None:
    assert refusal(png(24, 16, (b"IDAT", rows(PICTURE)), depth=depth, colour=colour)).reason == "undecodable"


def test_pictures_without_what_they_need() -> None:
    assert refusal(png(0, 5, (b"IDAT", zlib.compress(b"")))).reason == "undecodable"
    assert refusal(png(24, 16)).reason == "truncated"
    assert refusal(png(24, 16, (b"IDAT", rows(PICTURE)), colour=3)).reason == "undecodable"
    assert refusal(png(24, 16, (b"IDAT", rows(PICTURE)[:-400]))).reason == "truncated"
    assert refusal(DATA[:8] + DATA[33:]).reason == "undecodable"
