"""Moves replace nothing, on every kind of file system."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path

import pytest

from monitor.files import moving
from monitor.files.moving import Place, opened_folder
from tests.support.disks import below

# What this process has open.
OPEN = Path("/proc/self/fd")


def refuse_rename(_source: Place, _target: Place) -> None:
    raise OSError(22, "not known here")


@pytest.mark.parametrize("way", ["at once", "by a link", "onto an own file"])
def test_a_rename_replaces_nothing(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "at once":
        monkeypatch.setattr(moving, "_rename_at_once", refuse_rename)
    if way == "onto an own file":
        monkeypatch.setattr(os, "link", lambda *_arguments, **_options: refuse_rename(Place(0, ""), Place(0, "")))
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with opened_folder(tmp_path) as folder:
        with pytest.raises(FileExistsError):
            moving.rename(Place(folder, "a"), Place(folder, "b"))
        moving.rename(Place(folder, "a"), Place(folder, "c"))
        with pytest.raises(FileNotFoundError):
            moving.rename(Place(folder, "a"), Place(folder, "d"))
    assert {path.name: path.read_bytes() for path in below(tmp_path)} == {"b": b"b", "c": b"a"}


def test_the_c_library_renames_without_replacing() -> None:
    """Else every rename would go the longer way."""
    assert hasattr(ctypes.CDLL(None), "renameat2")


def test_a_copy_that_cannot_be_begun_leaves_nothing_open_and_nothing_behind(tmp_path: Path) -> None:
    """As where a file was replaced by a pipe."""
    reader, writer = os.pipe()
    (tmp_path / "to").mkdir()
    with opened_folder(tmp_path / "to") as folder:
        before = len(list(OPEN.iterdir()))
        with pytest.raises(OSError, match="seek"):
            moving.copy_open(reader, Place(folder, "a"))
        assert len(list(OPEN.iterdir())) == before
    os.close(reader)
    os.close(writer)
    assert below(tmp_path / "to") == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_is_copied_to_where_folders_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As on shared folders of virtual machines and on some network drives."""
    (tmp_path / "a").write_bytes(b"a")
    refuse_to_flush(monkeypatch, code)
    with opened_folder(tmp_path) as folder:
        moving.copy(Place(folder, "a"), Place(folder, "b"))
    assert {path.name: path.read_bytes() for path in below(tmp_path)} == {"a": b"a", "b": b"a"}


def test_a_copy_whose_name_may_not_be_on_the_disk_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    refuse_to_flush(monkeypatch, errno.EIO)
    with opened_folder(tmp_path) as folder, pytest.raises(OSError, match="Input/output error"):
        moving.copy(Place(folder, "a"), Place(folder, "b"))
    assert below(tmp_path) == [tmp_path / "a"]


def refuse_to_flush(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Play a file system that writes files through and fails for folders."""
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
