"""The list of a stream's events, while it is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from generators.crops.streaming import CropKind, StreamedCrop
from generators.crops.truth import EventLog
from monitor.api import OutputError

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - names carry local time
ZONE = ZoneInfo("Europe/Berlin")
PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)


def crop(hole: int, seconds: float, kind: CropKind) -> StreamedCrop:
    # The second pass of an hour that the clock repeats, which a name cannot tell from the first.
    return StreamedCrop(hole, "C", (START + timedelta(seconds=seconds)).replace(fold=1), kind, PIXELS)


def test_the_file_is_at_most_a_second_behind_while_events_go_on(tmp_path: Path) -> None:
    log = EventLog(tmp_path, ZONE)
    log.see(crop(1, 0, "normal"))
    assert list(tmp_path.iterdir()) == []
    for seconds in (1, 1.25, 1.5, 1.75, 2.0129):
        log.see(crop(1, seconds, "pouring"))
    (line,) = (tmp_path / "events.csv").read_text().splitlines()[1:]
    assert line == "1,C,2026-10-25T02:30:01.000+02:00,2026-10-25T02:30:02.012+02:00"
    for seconds, kind in ((2.5, "empty"), (3, "normal"), (3.5, "pouring")):
        log.see(crop(1, seconds, kind))  # type: ignore[arg-type]
    log.see(crop(2, 3.75, "empty"))
    log.write()
    lines = (tmp_path / "events.csv").read_text().splitlines()[1:]
    assert [(one[0], one[18:26], one[48:56]) for one in lines] == [
        ("1", "30:01.00", "30:02.50"), ("1", "30:03.50", "30:03.50"), ("2", "30:03.75", "30:03.75"),
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]


def test_a_list_that_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "inbox", ZONE)
    with pytest.raises(OutputError, match=r"events\.csv: No such file or directory; the list of true events cannot be"):
        log.write()
    (tmp_path / "events.csv").mkdir()
    with pytest.raises(OutputError, match=r"events\.csv: cannot be read: Is a directory; move it away"):
        EventLog(tmp_path, ZONE)
    (tmp_path / "events.csv").rmdir()
    (tmp_path / "events.csv").write_bytes(b"\xff")
    with pytest.raises(OutputError, match="it is no text"):
        EventLog(tmp_path, ZONE)
