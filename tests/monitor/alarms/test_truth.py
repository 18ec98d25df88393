"""The true events, from a file."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.alarms.truth import Event, merged, read_events
from monitor.errors import DataError, InputMissingError
from monitor.store.alarms import Subject

if TYPE_CHECKING:
    from pathlib import Path

MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADER = "hole,camera,start,end\n"


def event(begin: float, end: float, hole: int = 1) -> Event:
    return Event(Subject("C", hole), START + timedelta(seconds=begin), START + timedelta(seconds=end))


def test_events_of_one_hole_without_a_longer_pause_are_one() -> None:
    found = merged(
        [event(60, 70, 2), event(100, 110), event(0, 40), event(20, 30), event(170, 171)], timedelta(minutes=1)
    )
    assert found == [event(0, 171), event(60, 70, 2)]
    assert merged([event(0, 40), event(100.1, 101)], timedelta(minutes=1)) == [event(0, 40), event(100.1, 101)]


def test_events_are_read_on_the_clock_of_the_plant_or_their_own(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(
        f"\ufeff{HEADER}10,C,2026-03-01T15:00:00,2026-03-01T15:00:10.5\n\n2,Б,2026-03-01T12:00Z,2026-03-01T12:00Z\n"
    )
    assert read_events(file, MOSCOW) == [
        event(0, 10.5, 10),
        Event(Subject("Б", 2), START, START),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ":1: the first line must be hole,camera,start,end"),
        ("hole;camera;start;end\n", ":1: the first line must be hole,camera,start,end"),
        (f"{HEADER}1,C,2026-03-01\n", ":2: has 3 values instead of 4: hole, camera, start, end"),
        (f"{HEADER}ten,C,2026-03-01,2026-03-01\n", ":2: hole: 'ten' is no number of a hole"),
        (f"{HEADER}{'9' * 5000},C,2026-03-01,2026-03-01\n", "is no number of a hole"),
        (f"{HEADER}1,C,soon,2026-03-01\n", ":2: start: 'soon' is no time such as 2026-03-01T05:39:27+03:00"),
        (f"{HEADER}1,C,2026-03-01,0001-01-01T00:00+12:00\n", ":2: end: '0001-01-01T00:00+12:00' is no time"),
        (f"{HEADER}1,C,2026-03-02,2026-03-01\n", ":2: the end is before the start"),
        (f'{HEADER}1,"{"C" * 200_000}",2026-03-02,2026-03-01\n', ":2: is not CSV: field larger than"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "events.csv"
    file.write_text(text)
    with pytest.raises(DataError) as refused:
        read_events(file, MOSCOW)
    assert str(refused.value).startswith(str(file))
    assert sentence in str(refused.value)


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="cannot be read: Is a directory"):
        read_events(tmp_path, MOSCOW)
    (tmp_path / "events.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8"):
        read_events(tmp_path / "events.csv", MOSCOW)
    (tmp_path / "events.csv").unlink()
    os.mkfifo(tmp_path / "events.csv")
    with pytest.raises(DataError, match="the first line must be"):
        read_events(tmp_path / "events.csv", MOSCOW)
