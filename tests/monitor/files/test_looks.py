from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from monitor.files.looks import Looks, is_gone, is_unchanged, look

if TYPE_CHECKING:
    from pathlib import Path


class Row(NamedTuple):
    size_bytes: int
    mtime_ns: int


def test_a_file_looks_as_the_system_says(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1_600_000_000_000_000_001))
    assert look(path) == look(str(path)) == Looks(3, 1_600_000_000_000_000_001, path.stat().st_ctime_ns)


def test_a_link_looks_like_itself(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    looks = look(tmp_path / "link")
    assert looks is not None
    assert looks.size_bytes == len("nowhere")
    assert not is_gone(tmp_path / "link")


def test_what_is_gone_or_cannot_be_looked_at_looks_like_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look(tmp_path / "none") is None
    assert look(tmp_path / "file" / "below") is None
    assert is_gone(tmp_path / "none")
    assert not is_gone(tmp_path / "file" / "below")  # the system says that it is no folder, not that it is gone
    assert not is_gone(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("mtime_ns", "stored"),
    [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, 2**63 - 1), (-(2**63), -(2**63)), (-(2**63) - 1, -(2**63))],
)
def test_times_beyond_a_database_s_integer_are_clamped(mtime_ns: int, stored: int) -> None:
    looks = Looks(5, mtime_ns, 7)
    assert looks.stored == (5, stored)
    assert is_unchanged(looks, Row(5, stored))


@pytest.mark.parametrize("row", [Row(6, 9), Row(5, 8)])
def test_another_size_or_time_is_a_change(row: Row) -> None:
    assert is_unchanged(Looks(5, 9, 7), Row(5, 9))
    assert not is_unchanged(Looks(5, 9, 7), row)


def test_a_file_that_is_gone_has_changed() -> None:
    assert not is_unchanged(None, Row(0, 0))
