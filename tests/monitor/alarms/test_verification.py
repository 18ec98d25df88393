"""A file with evidence is checked whole, whoever made it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tracemalloc
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.alarms import bundle, verification
from monitor.alarms.bundle import MANIFEST, is_bundle, made
from monitor.alarms.verification import verify
from monitor.errors import DataError, InputMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW = datetime(2026, 3, 2, 3, 4, 6, tzinfo=UTC)
MEMBERS = {"index.html": b"<!DOCTYPE html>", "crops/1.jpg": b"\xff\xd8" * 100, "alarm.json": b"{}"}


def whole(members: Mapping[str, bytes] = MEMBERS) -> bytes:
    return made(members, made_by="monitor", made_at=NOW, alarm=7, about="hole 10 of camera C")


def rezipped(change: Mapping[str, bytes | None], **manifest: Any) -> bytes:
    """A whole one with other members; None takes one out. ``manifest`` changes its keys."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole())) as before, zipfile.ZipFile(stream, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            if info.filename == MANIFEST and manifest:
                content = json.dumps({**json.loads(content), **manifest}).encode()
            content_or_none = change.get(info.filename, content)
            if content_or_none is not None:
                after.writestr(info.filename, content_or_none)
        for name, more in change.items():
            if name not in before.namelist() and more is not None:
                after.writestr(zipfile.ZipInfo(name), more)
    return stream.getvalue()


def refusal(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "evidence.zip"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        verify(file)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file}: ")
    assert list(tmp_path.iterdir()) == [file]
    return sentence.removeprefix(f"{file}: ")


def test_a_whole_one(tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    file.write_bytes(whole())
    found = verify(file)
    assert (found.manifest.alarm, found.manifest.about, found.manifest.made_at) == (7, "hole 10 of camera C", NOW)
    assert found.manifest.members.keys() == MEMBERS.keys()
    assert found.sha256 == hashlib.sha256(whole()).hexdigest()
    assert found.bytes == sum(map(len, MEMBERS.values()))
    assert is_bundle(whole()[:4096])
    assert not is_bundle(rezipped({MANIFEST: b"{}"})[:4096])
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == MANIFEST


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no ZIP file"),
        (b"\x00" * 5000, "is no ZIP file"),
        (whole()[:-30], "is no ZIP file, or was cut off"),
        (rezipped({"crops/1.jpg": b"\xff\xd9" * 100}), "crops/1.jpg in it does not have the checksum"),
        (rezipped({"crops/1.jpg": b"short"}), "crops/1.jpg in it has 5 bytes instead of 200"),
        (rezipped({"crops/1.jpg": None}), "lacks crops/1.jpg"),
        (rezipped({"crops/2.jpg": b"2"}), "crops/2.jpg in it is not in its manifest"),
        (rezipped({MANIFEST: None}), f"has no {MANIFEST}"),
        (rezipped({MANIFEST: b"[" * 100_000}), f"its {MANIFEST} is not one that this version knows"),
        (rezipped({}, version=2), "made by a newer version"),
        (rezipped({}, members={"a": {"bytes": -1, "sha256": "0" * 64}}), f"its {MANIFEST} is not"),
        (rezipped({"../../etc/cron.d/x": b""}), "has a member with the name '../../etc/cron.d/x'"),
        (rezipped({"/etc/passwd": b""}), "do not unpack it"),
        (rezipped({"crops\\..\\x": b""}), "do not unpack it"),
        (rezipped({"crops/": b""}), "do not unpack it"),
        (rezipped({".hidden": b""}), "do not unpack it"),
        (rezipped({"crops/Файл.jpg": b""}), "do not unpack it"),
        (rezipped({"CROPS/1.JPG": b""}), "has two members with the name"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in refusal(tmp_path, content)


def test_a_name_twice(tmp_path: Path) -> None:
    stream = io.BytesIO(whole())
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("crops/1.jpg", b"another")
    assert "two members" in refusal(tmp_path, stream.getvalue())


def test_a_name_that_goes_on_behind_a_zero(tmp_path: Path) -> None:
    content = whole().replace(b"crops/1.jpg", b"crops\x00../xy")
    assert "has a member with the name" in refusal(tmp_path, content)


@pytest.mark.parametrize(("attribute", "value"), [("external_attr", 0o120777 << 16), ("flag_bits", 1)])
def test_links_and_encrypted_members(tmp_path: Path, attribute: str, value: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("link")
        if attribute == "external_attr":
            info.external_attr = value
        archive.writestr(info, "/etc/passwd")
    content = bytearray(stream.getvalue())
    if attribute == "flag_bits":
        content[content.index(b"PK\x01\x02") + 8] |= value
    assert "a link, a device or encrypted" in refusal(tmp_path, bytes(content))


def test_another_way_of_packing(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("crops/1.jpg", b"1")
    assert "packed in a way" in refusal(tmp_path, stream.getvalue())


def bomb(*, says: int, members: int = 1) -> bytes:
    """Members of 100 MB each, packed into 100 KB, which say that they are smaller."""
    stream = io.BytesIO()
    manifest = {"made_by": "x", "made_at": NOW.isoformat(), "alarm": 1, "about": "x", "members": {}}
    names = [f"crops/{number}.jpg" for number in range(members)]
    manifest["members"] = {name: {"bytes": says, "sha256": "0" * 64} for name in names}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
        for name in names:
            archive.writestr(name, bytes(100_000_000))
    # In each header, of the member and of the table, the size when it is unpacked.
    return stream.getvalue().replace(struct.pack("<L", 100_000_000), struct.pack("<L", says))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    content = bomb(says=1000)
    tracemalloc.start()
    assert "crops/0.jpg in it" in refusal(tmp_path, content)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert "more than evidence may have" in refusal(tmp_path, bomb(says=100_000_000))


def test_too_many_members_are_not_even_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = rezipped({f"crops/{number}.jpg": b"" for number in range(2, 50)})
    monkeypatch.setattr(verification, "MOST_MEMBERS", 20)
    monkeypatch.setattr(verification, "ZipFile", None)
    assert "more than the 20 members" in refusal(tmp_path, content)
    end = content.rindex(b"PK\x05\x06")
    larger = content[:end] + b"PK\x06\x07" + bytes(16) + content[end:]
    monkeypatch.setattr(verification, "MOST_MEMBERS", 20_000)
    assert "more than the 20,000 members" in refusal(tmp_path, larger)


def test_altogether_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "LARGEST_TOTAL", 300)
    assert "would be more than 300 bytes" in refusal(tmp_path, whole())
    monkeypatch.setattr(bundle, "LARGEST_TOTAL", 100)
    with pytest.raises(DataError, match="alarm 7: its evidence is too much for one file"):
        whole()


def test_every_byte_counts(tmp_path: Path) -> None:
    """Whatever byte of a member or of the manifest's digests is changed, it is found."""
    content = whole()
    for place in range(content.index(b"\xff\xd8"), content.index(b"\xff\xd8") + 200, 17):
        changed = bytearray(content)
        changed[place] ^= 1
        assert "crops/1.jpg in it is damaged" in refusal(tmp_path, bytes(changed))


def test_a_file_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="No such file"):
        verify(tmp_path / "none.zip")
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(DataError, match="is not a regular file"):
        verify(tmp_path / "pipe.zip")
    with pytest.raises(InputMissingError, match="Is a directory"):
        verify(tmp_path)
    with pytest.raises(DataError, match="not a regular file"):
        verify(tmp_path.__class__("/dev/null"))
