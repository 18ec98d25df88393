from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from monitor.files.looks import Looks, is_gone, is_unchanged, look, may_be_unchanged

if TYPE_CHECKING:
    from pathlib import Path


SECOND = 1_000_000_000


class Row(NamedTuple):
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None = 7
    inode: int | None = 4


def test_a_file_looks_as_the_system_says(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1_600_000_000_000_000_001))
    status = path.stat()
    expected = Looks(3, 1_600_000_000_000_000_001, status.st_ctime_ns, status.st_ino)
    assert look(path) == look(str(path)) == expected


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
    looks = Looks(5, mtime_ns, mtime_ns, 4)
    assert looks.stored == (5, stored, stored, 4)
    assert is_unchanged(looks, Row(5, stored, stored))


@pytest.mark.parametrize(("inode", "stored"), [(2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1)])
def test_inodes_without_a_sign_fit_into_a_database_s_integer(inode: int, stored: int) -> None:
    assert Looks(5, 9, 7, inode).stored == (5, 9, 7, stored)


@pytest.mark.parametrize("row", [Row(6, 9), Row(5, 8), Row(5, 9, 8), Row(5, 9, 7, 5)])
def test_another_size_time_or_inode_is_a_change(row: Row) -> None:
    looks = Looks(5, 9, 7, 4)
    assert is_unchanged(looks, Row(5, 9))
    assert not is_unchanged(looks, row)
    assert may_be_unchanged(looks, row) == (row[:2] == (5, 9))


def test_a_row_of_an_older_program_is_no_proof() -> None:
    row = Row(5, 9, None, None)
    assert not is_unchanged(Looks(5, 9, 7, 4), row)
    assert not is_unchanged(Looks(5, 9, 7, None), row)
    assert may_be_unchanged(Looks(5, 9, 7, 4), row)


def test_a_file_that_is_gone_has_changed() -> None:
    assert not is_unchanged(None, Row(0, 0))
    assert not may_be_unchanged(None, Row(0, 0))


@pytest.mark.parametrize(
    ("ctime_ns", "seconds_later", "tells"),
    [
        (10 * SECOND + 1, 0.0, True),  # a clock of nanoseconds
        (10 * SECOND, 0.0, False),  # one of whole seconds, by which the next change may have the same time
        (10 * SECOND, 1.9, False),
        (10 * SECOND, -1.0, False),  # the file's clock is ahead of the system's
        (10 * SECOND, 3.0, True),
        (10 * SECOND, -3600.0, True),
    ],
)
def test_looks_of_a_coarse_clock_are_no_proof_while_they_are_fresh(
    ctime_ns: int, seconds_later: float, tells: bool
) -> None:
    looks = Looks(5, 9, ctime_ns, 4).as_read(ctime_ns + int(seconds_later * SECOND))
    assert looks == Looks(5, 9, ctime_ns, 4 if tells else None)
    assert looks.stored == ((5, 9, ctime_ns, 4) if tells else (5, 9, None, None))
