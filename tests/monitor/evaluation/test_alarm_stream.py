"""A folder with a list of the true events is a stream; without one it has to be labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.errors import DataError, InputMissingError
from monitor.evaluation.alarm_stream import open_stream
from monitor.files.ignoring import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

MOSCOW = ZoneInfo("Europe/Moscow")


def test_a_link_to_a_list_that_is_away_is_not_taken_for_no_list(tmp_path: Path) -> None:
    for name in ("proliv", "ne_proliv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"a crop")
    assert open_stream(tmp_path, MOSCOW, NOTHING).events is None
    (tmp_path / "events.csv").symlink_to(tmp_path / "away")
    with pytest.raises(InputMissingError, match=r"events\.csv: cannot be read: No such file or directory"):
        open_stream(tmp_path, MOSCOW, NOTHING)
    (tmp_path / "away").write_text("hole,camera,start,end\n1,C,2026-03-02T03:04:05,2026-03-02T03:04:06\n")
    assert len(open_stream(tmp_path, MOSCOW, NOTHING).events or ()) == 1


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or write the true events into"):
        open_stream(tmp_path, MOSCOW, NOTHING)
