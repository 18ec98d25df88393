from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.files.text import from_text, printable, to_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"/inbox/10_CAM_C.jpg", "/inbox/10_CAM_C.jpg"),
        ("/приём/лунка 1.jpg".encode(), "/приём/лунка 1.jpg"),
        (b"/a\nb\\n\xff", r"/a\nb\\n\xff"),
        (b"/\x1b[31m\x7f\t", r"/\x1b[31m\x7f\x09"),
        ("/\u202e\x85\u2028".encode(), r"/\xe2\x80\xae\xc2\x85\xe2\x80\xa8"),
        (b"/\xed\xa0\x80", r"/\xed\xa0\x80"),
        (rb"/\x41", r"/\\x41"),
    ],
)
def test_text_of_paths(raw: bytes, text: str) -> None:
    assert to_text(os.fsdecode(raw)) == text
    assert os.fsencode(from_text(text)) == raw


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
def test_text_is_lossless_and_safe(parts: list[bytes]) -> None:
    path = Path(os.fsdecode(b"/" + b"/".join(parts).replace(b"\0", b"\\")))
    text = to_text(path)
    assert text.encode()
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in text)
    assert os.fsencode(from_text(text)) == os.fsencode(path)


@given(st.text(st.characters(), max_size=30))
def test_printable_takes_any_text(text: str) -> None:
    assert printable(text).encode() or not text


@pytest.mark.parametrize("text", ["/a\\", "/a\\q", r"/\x4", r"/\xGG", r"/\x00", "/\0", "/\ud800"])
def test_texts_that_no_path_has(text: str) -> None:
    with pytest.raises(ValueError, match=r"holds|encode"):
        from_text(text)
