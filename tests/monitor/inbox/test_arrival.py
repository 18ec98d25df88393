"""What a backlog is put in order by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from monitor.configuration.file import load
from monitor.inbox.arrival import Arrival

if TYPE_CHECKING:
    from pathlib import Path


def test_the_time_in_a_name_counts_and_else_the_files_last_change(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[plant]\ntime_zone = "Europe/Moscow"\n', encoding="utf-8")
    arrival = Arrival(load(tmp_path / "config.toml"))
    named, other = tmp_path / "10_CAM_C_01-03-2023_05-39-27-929.jpg", tmp_path / "crop.jpg"
    for file in (named, other):
        file.write_bytes(b"x")
        os.utime(file, (1000, 1000.5))
    assert arrival(str(named)) == 1677638367.929
    assert arrival(str(other)) == 1000.5
    other.unlink()
    assert arrival(str(other)) == 0
