from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.errors import OutputError
from monitor.report.output import require_writable, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_and_one_that_exists_are_written(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for content in (b"first, and longer", b"second"):
        require_writable(path)
        write(path, content)
        assert path.read_bytes() == content


def test_asking_makes_no_file(tmp_path: Path) -> None:
    require_writable(tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("folder", "is a folder; give the name of a file with --output"),
        ("no/page.html", "there is no such folder; make it, or give another place with --output"),
        ("file/page.html", "there is no such folder"),
        ("a" * 300, "cannot be written: File name too long"),
    ],
)
def test_what_cannot_be_written_is_told_before_and_after(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=sentence):
        require_writable(tmp_path / name)
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / name, b"page")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "page.html").touch(0o400)
    with pytest.raises(OutputError, match="may not be written; change the permissions"):
        require_writable(tmp_path / "page.html")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="may not be written; change the permissions"):
        require_writable(tmp_path / "other.html")
    tmp_path.chmod(0o700)


def test_a_full_disk_is_told() -> None:
    from pathlib import Path

    with pytest.raises(OutputError, match=r"/dev/full: cannot be written: No space left on device"):
        write(Path("/dev/full"), b"page")
