from __future__ import annotations

import pytest

from monitor.configuration.names import DEFAULT_IGNORED
from monitor.files.ignoring import NOTHING, IgnoredNames


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "@EADIR", "#recycle", "#Recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", "lost+found"),
        *("Thumbs.db", "thumbs.db", "System Volume Information", "__MACOSX", "SYNOPHOTO_THUMB_M.jpg", "FOUND.000"),
        *("synophoto_thumb_xl.JPG", "Recycle Bin", "~snapshot", "desktop.ini"),
    ],
)
def test_by_products_are_left_alone_in_whatever_case(name: str) -> None:
    assert name in IgnoredNames(DEFAULT_IGNORED)
    assert name not in NOTHING


@pytest.mark.parametrize(
    "name",
    [
        *("10_CAM_C_01-03-2023_05-39-27-929.jpg", "eaDir", "recycle", "THUMB_M.jpg", "2026-03-01", "found.1", "tmp"),
        *("\udcff@eaDir", "lost+found.jpg", "My SYNOPHOTO_1.jpg", ""),
    ],
)
def test_crops_and_folders_of_cameras_are_not(name: str) -> None:
    assert name not in IgnoredNames(DEFAULT_IGNORED)


def test_patterns_are_those_of_a_shell() -> None:
    ignored = IgnoredNames(["*.tmp.jpg", "day-?", "[ab].png", "Größe", "a+b"])
    assert all(name in ignored for name in ("1.TMP.jpg", "day-1", "A.png", "GRÖSSE", "größe", "a+b"))
    assert not any(name in ignored for name in ("1.tmp.jpeg", "day-10", "c.png", "aab", "x/day-1"))
