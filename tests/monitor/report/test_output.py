from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.errors import OutputError
from monitor.files.replacing import BEGINNING, MADE_BY, write_whole
from monitor.models.pictures import as_png
from monitor.report import page as page_module
from monitor.report import style
from monitor.report.output import is_page, is_picture
from monitor.report.output import require_writable as require

if TYPE_CHECKING:
    from pathlib import Path


def require_writable(path: Path) -> None:
    require(path, is_page, "a page of monitor report")


def test_a_page_and_a_picture_are_known_again_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    page = page_module.DOCUMENT.template.encode()
    figure = style.new_figure(2, 2)
    pictures = style.as_png(figure, maker=MADE_BY), style.as_svg(figure, maker=MADE_BY)
    own = as_png(np.zeros((4, 4, 3), np.uint8))
    other = style.as_png(figure), style.as_svg(figure), b"<!DOCTYPE html><p>mine", b"SQLite format 3\0", b""
    assert [is_page(one[:BEGINNING]) for one in (page, own, *pictures, *other)] == [True, *[False] * 8]
    assert [is_picture(one[:BEGINNING]) for one in (page, own, *pictures, *other)] == [False, *[True] * 3, *[False] * 5]
    path = tmp_path / "page.html"
    for content in (page, page + b"more"):
        require_writable(path)
        write_whole(path, content)
        assert path.read_bytes() == content
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"page\.html: exists and is not a page of monitor report"):
        require_writable(path)


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
        write_whole(tmp_path / name, b"page")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "page.html").touch(0o400)
    with pytest.raises(OutputError, match="may not be written; change the permissions"):
        require_writable(tmp_path / "page.html")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="may not be written; change the permissions"):
        require_writable(tmp_path / "other.html")
    tmp_path.chmod(0o700)
