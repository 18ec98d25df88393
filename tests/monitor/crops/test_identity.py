"""What the name of a crop's file tells."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.configuration.names import DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT
from monitor.crops import identity
from monitor.crops.identity import IdentityPattern
from monitor.words import Identity

MOSCOW = ZoneInfo("Europe/Moscow")


class TestIdentity:
    def test_default_pattern(self) -> None:
        pattern = IdentityPattern(DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse("10_CAM_C_01-03-2023_05-39-27-929.jpg") == Identity(
            10, "C", datetime(2023, 3, 1, 2, 39, 27, 929_000, tzinfo=UTC)
        )

    @pytest.mark.parametrize(
        "name",
        ["", "790af51f-7bb5-466b-ab12-60deae77e930.jpg", "10_CAM_C.jpg", "x10_CAM_C_01-03-2023_05-39-27-929.jpg", "\n"],
    )
    def test_a_name_that_says_nothing(self, name: str) -> None:
        pattern = IdentityPattern(DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse(name) == Identity(None, None, None)

    @pytest.mark.parametrize("date", ["31-02-2023", "00-00-0000", "01-13-2023"])
    def test_an_impossible_date_costs_only_the_time(self, date: str) -> None:
        pattern = IdentityPattern(DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, MOSCOW)
        assert pattern.parse(f"10_CAM_C_{date}_05-39-27-929.jpg") == Identity(10, "C", None)

    def test_a_date_that_utc_cannot_express(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.*)", "%Y-%m-%d", MOSCOW)
        assert pattern.parse("0001-01-01").captured_at is None

    @pytest.mark.parametrize(
        ("text", "hole"),
        [("0", 0), ("007", 7), ("2147483647", 2**31 - 1), ("2147483648", None), ("9" * 200, None)]
        + [(text, None) for text in ("-1", "+1", " 1", "1_0", "1.0", "a", "²", "")],
    )
    def test_holes(self, text: str, hole: int | None) -> None:
        assert IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW).parse(text).hole == hole

    def test_an_absent_or_empty_group_is_none(self) -> None:
        pattern = IdentityPattern("(?P<hole>[0-9]+)?(?P<camera>[A-Z]*)", "%d-%m-%Y", MOSCOW)
        assert pattern.parse("!") == Identity(None, None, None)

    def test_a_camera_of_undecodable_bytes_can_be_stored(self) -> None:
        pattern = IdentityPattern("(?P<camera>.+)_", "%d-%m-%Y", MOSCOW)
        assert pattern.parse(os.fsdecode(b"\xffa_")).camera == "\\xffa"

    def test_the_repeated_hour_is_read_as_its_first_pass(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.+)", "%Y-%m-%d %H:%M", ZoneInfo("Europe/Berlin"))
        assert pattern.parse("2023-10-29 02:30").captured_at == datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
        assert pattern.parse("2023-03-26 02:30").captured_at == datetime(2023, 3, 26, 1, 30, tzinfo=UTC)

    def test_an_offset_in_the_name_outranks_the_zone(self) -> None:
        pattern = IdentityPattern("(?P<captured_at>.+)", "%Y-%m-%d %H:%M%z", MOSCOW)
        assert pattern.parse("2023-10-29 02:30+0100").captured_at == datetime(2023, 10, 29, 1, 30, tzinfo=UTC)

    @pytest.mark.parametrize("pattern", ["(", "(?P<hole>", "*", "a{99999999999999}", "(" * 5000 + ")" * 5000])
    def test_a_pattern_that_does_not_compile(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="is not a regular expression"):
            IdentityPattern(pattern, "%d-%m-%Y", MOSCOW)

    @pytest.mark.parametrize("pattern", ["", ".*", "(?P<holes>.*)"])
    def test_a_pattern_without_a_known_group(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="at least one is needed"):
            IdentityPattern(pattern, "%d-%m-%Y", MOSCOW)

    @pytest.mark.parametrize("time_format", ["%Q-%d-%m-%Y", "%d-%m-%Y %", "%H:%M", "%d-%m", "", "%d-%d-%m-%Y"])
    def test_an_unusable_time_format(self, time_format: str) -> None:
        with pytest.raises(ValueError, match="the time format"):
            IdentityPattern("(?P<hole>.*)", time_format, MOSCOW)

    def test_frozen_and_comparable(self) -> None:
        pattern = IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW)
        assert pattern == IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW)
        assert hash(pattern) == hash(IdentityPattern("(?P<hole>.*)", "%d-%m-%Y", MOSCOW))
        with pytest.raises(AttributeError):
            pattern.pattern = "x"  # type: ignore[misc]

    @given(st.text(max_size=255))
    def test_any_name(self, name: str) -> None:
        pattern = IdentityPattern(DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, MOSCOW)
        hole, camera, captured_at = pattern.parse(name)
        assert hole is None or 0 <= hole <= identity.LARGEST_HOLE
        assert camera is None or camera.encode()
        assert captured_at is None or captured_at.utcoffset() is not None


@given(
    time_format=st.sampled_from(
        [
            *(DEFAULT_TIME_FORMAT, "%Y%m%d%H%M%S%f", "%f.%S.%M %H %Y/%m/%d"),
            *("%Y-%m-%d", "%d.%m.%Y %H:%M", "%y%m%d_%H", "%b %d %Y"),
        ]
    ),
    numbers=st.lists(st.integers(0, 9999), min_size=7, max_size=7),
    moment=st.datetimes(),
)
def test_times_of_digits_are_read_as_strptime_does(time_format: str, numbers: list[int], moment: datetime) -> None:
    pattern = IdentityPattern("(?P<captured_at>.*)", time_format, MOSCOW)
    directives = re.findall("%.", time_format)
    odd = time_format
    for directive, number in zip(directives, numbers, strict=False):
        odd = odd.replace(directive, str(number), 1)
    for text in (moment.strftime(time_format), odd):
        try:
            read = datetime.strptime(text, time_format).replace(tzinfo=MOSCOW).astimezone(UTC)
        except (ValueError, OverflowError):
            read = None
        assert pattern.parse(text).captured_at == read
