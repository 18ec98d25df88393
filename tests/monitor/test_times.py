from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.times import iso, on_clock, parse_time

MOSCOW = ZoneInfo("Europe/Moscow")
MOMENT = datetime(2024, 5, 1, 11, 30, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T14:30:59", MOMENT),
        (" 2024-05-01 14:30:59 ", MOMENT),
        ("2024-05-01T11:30:59Z", MOMENT),
        ("2024-05-01T13:30:59+02:00", MOMENT),
        ("2024-05-01", datetime(2024, 4, 30, 21, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_on_the_plants_clock(text: str, moment: datetime) -> None:
    parsed = parse_time(text, MOSCOW)
    assert (parsed, parsed.tzinfo) == (moment, UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "0001-01-01T00:00", "9999-12-31T23:59:59-23:59"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text, MOSCOW)


def test_times_are_written_for_programs_and_for_people() -> None:
    assert (iso(MOMENT), iso(None)) == ("2024-05-01T11:30:59+00:00", None)
    assert on_clock(MOMENT, MOSCOW) == "2024-05-01 14:30:59+03:00"
