"""Moves replace nothing, on every kind of file system."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

import pytest

from monitor.files import moving
from monitor.files.moving import Place, opened_folder
from tests.support.disks import below

if TYPE_CHECKING:
    from pathlib import Path


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
