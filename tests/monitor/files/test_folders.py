from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.errors import OutputError
from monitor.files.folders import flush, make_folder, unfinished_folder


def test_a_folder_is_made_with_its_parents_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "one" / "two")
    assert (tmp_path / "one" / "two").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"^{tmp_path}/file/below: the folder cannot be made: Not a directory$"):
        make_folder(tmp_path / "file" / "below")


def test_where_only_some_folders_may_be_written_the_unit_is_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"rewrite its unit: monitor deploy systemd$"):
        make_folder(tmp_path / "one")


def test_an_unfinished_folder_is_gone_unless_it_was_renamed(tmp_path: Path) -> None:
    with unfinished_folder(tmp_path) as folder:
        (folder / "file").touch()
        folder.rename(tmp_path / "finished")
    with suppress(ZeroDivisionError), unfinished_folder(tmp_path) as folder:
        assert folder.name.startswith(".unfinished-")
        (folder / "file").touch()
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["finished"]
    assert (tmp_path / "finished" / "file").exists()


def test_files_and_folders_can_be_flushed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flush(tmp_path / "file")
    flush(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "none")


def test_where_folders_cannot_be_flushed_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other answer, and any about a file, is an error."""
    code, kind = errno.EINVAL, stat.S_ISDIR

    def refuse(descriptor: int) -> None:
        if kind(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "fsync", refuse)
    flush(tmp_path)
    code = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        flush(tmp_path)
    code, kind = errno.EINVAL, stat.S_ISREG
    with pytest.raises(OSError, match="Invalid argument"):
        flush(tmp_path / "file")
