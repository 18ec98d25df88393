"""Files that a person names: whole or not at all, and nothing of another kind is lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from monitor.errors import OutputError
from monitor.files.replacing import require_replaceable, write_private, write_whole


def is_list(beginning: bytes) -> bool:
    return beginning.startswith(b"list:")


def test_only_its_own_kind_and_what_is_empty_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for content in (None, b"", b"list: 1", b"list:" + b"x" * 10_000):
        if content is not None:
            path.write_bytes(content)
        require_replaceable(path, is_list, "a list")
    for content in (b"SQLite format 3\0", b"[paths]\n", b" list:"):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="out: exists and is not a list, so it is not overwritten; give another"):
            require_replaceable(path, is_list, "a list")
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(OutputError, match="link: exists and is not a list"):
            require_replaceable(tmp_path / "link", is_list, "a list")


def test_devices_and_folders_are_left_to_the_system(tmp_path: Path) -> None:
    require_replaceable(Path("/dev/null"), is_list, "a list")
    write_whole(Path("/dev/null"), b"list: 1")
    require_replaceable(tmp_path, is_list, "a list")
    with pytest.raises(OutputError, match="cannot be written: Is a directory"):
        write_whole(tmp_path, b"list: 1")
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left on device"):
        write_whole(Path("/dev/full"), b"list: 1")


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"1")
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
        (tmp_path / "new").chmod(0o604)
        write_whole(tmp_path / "new", b"2")
    finally:
        os.umask(before)
    assert ((tmp_path / "new").read_bytes(), (tmp_path / "new").stat().st_mode & 0o777) == (b"2", 0o604)


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    for content in (b"1", b"2"):
        write_whole(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "file").read_bytes() == content


def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="file: cannot be written: No space left on device"):
        write_whole(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.parametrize("name", ["no/file", "a" * 300, "circle"])
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputError, match=r"cannot be written: .*; give another place with --output"):
        write_whole(tmp_path / name, b"1")


def test_a_private_file_is_its_owner_s_alone_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    for _ in range(2):
        write_private(path, b"new")
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]
    with pytest.raises(OutputError, match="cannot be written: No such file or directory; give another place, or write"):
        write_private(tmp_path / "none" / "secret", b"new")
