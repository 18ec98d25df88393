from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from monitor.files.looks import look
from monitor.files.opening import content_of, open_below
from tests.support.disks import sha256


def read(path: Path | str, *roots: Path) -> bytes:
    descriptor = open_below(str(path), [str(root) for root in roots])
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ["1.jpg", "a/1.jpg", "a/b/c/1.jpg"])
def test_files_at_any_depth_are_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"crop")
    assert read(path, tmp_path) == read(path) == b"crop"


@pytest.mark.parametrize("linked", ["a", "a/b", "a/b/c", "a/b/c/1.jpg"])
def test_a_link_on_the_way_is_not_followed(tmp_path: Path, linked: str) -> None:
    inbox, path = tmp_path / "inbox", tmp_path / "inbox/a/b/c/1.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"crop")
    link = inbox / linked
    link.rename(tmp_path / "precious")
    link.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links") as caught:
        read(path, inbox)
    assert caught.value.errno == errno.ELOOP


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "real" / "a" / "1.jpg").write_bytes(b"crop")
    (tmp_path / "inbox").symlink_to("real")
    assert read(tmp_path / "inbox/a/1.jpg", tmp_path / "inbox") == b"crop"


def test_a_folder_with_a_similar_name_is_not_the_root(tmp_path: Path) -> None:
    (tmp_path / "inbox2").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(b"crop")
    (tmp_path / "inbox2" / "a").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path / "inbox2/a/1.jpg", tmp_path / "inbox") == b"crop"


@pytest.mark.parametrize("name", ["none/1.jpg", "a/none.jpg", "a/1.jpg/2.jpg"])
def test_what_is_missing_is_said_and_nothing_is_left_open(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        read(tmp_path / name, tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_content_is_that_of_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"crop")
    assert content_of(str(path)) == (sha256(path), look(path))
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    assert [content_of(str(tmp_path / name)) for name in ("link", "pipe", "none", ".")] == [None] * 4
