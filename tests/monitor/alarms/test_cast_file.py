"""The cast file: what it may say, and a sentence for everything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.cast_file import read_cast_file
from monitor.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("cast.toml", 'number = "4711"\nalloy = "6063"\nphase = "steady"\n', ("4711", "6063", "steady")),
        ("cast.toml", 'number = 4711\nphase = " START "\ntemperature = 690.5\n', ("4711", None, "start")),
        ("cast", 'phase = "idle"', (None, None, "idle")),
        ("cast.toml", '\ufeffnumber = ""\nalloy = ""\nphase = "idle"\r\n', (None, None, "idle")),
        ("cast.json", '{"number": 4711, "alloy": null, "phase": "end"}', ("4711", None, "end")),
        ("cast.JSON", '{"number": "Ж\\n", "phase": "end"}', ("Ж", None, "end")),
    ],
)
def test_what_it_may_say(tmp_path: Path, name: str, text: str, says: tuple[str | None, str | None, str]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read_cast_file(tmp_path / name)
    assert found[:3] == says
    assert found.written_at.timestamp() == pytest.approx((tmp_path / name).stat().st_mtime)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cast.toml", b'number = "4711"\nphase = "ste', "cannot be understood, or is half written"),
        ("cast.json", b'{"number": "4711", "pha', "cannot be understood, or is half written"),
        ("cast.json", b"[" * 60_000, "cannot be understood"),
        ("cast.json", b"[4711]", "holds no keys; write number, alloy and phase"),
        ("cast.toml", b"", "has no phase; write one of idle, start, steady, end"),
        ("cast.toml", b'number = 1\nphase = "casting"', "'casting' is no phase; write one of idle"),
        ("cast.toml", b"number = 1\nphase = 3", "'3' is no phase"),
        ("cast.toml", b'phase = "start"', "has no number, and only in the phase idle there need be none"),
        ("cast.toml", b'number = 1.5\nphase = "start"', "number is neither a text nor a whole number"),
        ("cast.toml", b'number = true\nphase = "idle"', "number is neither a text"),
        ("cast.toml", b'number = 1\nalloy = ["x"]\nphase = "idle"', "alloy is neither a text"),
        ("cast.toml", b'number = "' + b"1" * 61 + b'"\nphase = "idle"', "number has 61 characters, and at most 60"),
        ("cast.toml", b'number = "\xff"', "is not text in UTF-8"),
        ("cast.toml", b"#" * 70_000, "has more than 65536 bytes, so it is no cast file"),
    ],
)
def test_what_is_wrong_is_said_with_the_path(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        read_cast_file(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert said in str(error.value)
    assert str(error.value).isprintable()


def test_what_is_no_file_is_said_and_waited_for_by_nobody(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is missing; alarms\.cast\.file names it"):
        read_cast_file(tmp_path / "cast.toml")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(DataError, match=f"{name}: (is not a file|cannot be read)"):
            read_cast_file(tmp_path / name)
