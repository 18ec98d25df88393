"""Reads the hole, the camera and the time from the name of a crop's file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor.configuration.names import checked_name_pattern, checked_time_format
from monitor.files.text import to_text
from monitor.words import Identity

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# The largest hole number that every database's integer column holds.
LARGEST_HOLE: Final = 2**31 - 1

_NUMBERS: Final = ("year", "month", "day", "hour", "minute", "second")
_DIGITS: Final = {
    "%Y": "(?P<year>[0-9]{4})", "%m": "(?P<month>[0-9]{2})", "%d": "(?P<day>[0-9]{2})",
    "%H": "(?P<hour>[0-9]{2})", "%M": "(?P<minute>[0-9]{2})", "%S": "(?P<second>[0-9]{2})",
    "%f": "(?P<microsecond>[0-9]{1,6})",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """Reads a crop's identity from its file name.

    ``pattern``: a regular expression that has to match from the start of the name (what follows the match
    is free) with at least one of the named groups ``hole``, ``camera`` and ``captured_at``. ``time_format``:
    the `datetime.strptime` format of ``captured_at``. ``time_zone``: the zone of the camera's clock, unless
    the format holds ``%z``. The hour that the clock repeats in autumn is read as its first pass (summer time),
    and the hour that it skips in spring as if summer time had not begun yet: a name cannot tell.

    Raises `ValueError` with a sentence when the pattern or the format cannot be used.
    """

    pattern: str
    time_format: str
    time_zone: ZoneInfo
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _digits: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what, check, value in (
            ("name pattern", checked_name_pattern, self.pattern),
            ("time format", checked_time_format, self.time_format),
        ):
            try:
                check(value)
            except ValueError as error:
                raise ValueError(f"the {what} {value!r} {error}") from error
        object.__setattr__(self, "_compiled", re.compile(self.pattern))
        object.__setattr__(self, "_digits", _only_digits(self.time_format))

    def parse(self, file_name: str) -> Identity:
        """Read a file name without its folder; what is missing from it or wrong is None.

        The camera is written as `to_text` does, which any database and any metric accepts.
        """
        match = self._compiled.match(file_name)
        groups = match.groupdict() if match else {}
        camera = groups.get("camera")
        return Identity(
            _hole(groups.get("hole")),
            to_text(camera) if camera else None,
            self._captured_at(groups.get("captured_at")),
        )

    def _captured_at(self, text: str | None) -> datetime | None:
        if not text:
            return None
        try:
            moment = self._of_digits(text) or datetime.strptime(text, self.time_format)  # noqa: DTZ007 - the zone follows
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self.time_zone)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def _of_digits(self, text: str) -> datetime | None:
        digits = self._digits.fullmatch(text) if self._digits else None
        if digits is None:
            return None
        year, month, day, hour, minute, second = map(int, digits.group(*_NUMBERS))
        try:
            microsecond = int(digits["microsecond"].ljust(6, "0"))
            return datetime(year, month, day, hour, minute, second, microsecond, self.time_zone)
        except ValueError:
            return None  # without separators, strptime may see other numbers in it


def _only_digits(time_format: str) -> re.Pattern[str] | None:
    """A pattern for times of a format that holds each of these numbers once, with all digits; None for other formats.

    It takes a third of the time of `strptime` and reads the same; `strptime` reads what does not match.
    """
    parts = re.split("(%.)", time_format)
    if sorted(part for part in parts if part.startswith("%")) != sorted(_DIGITS):
        return None
    return re.compile("".join(_DIGITS.get(part) or re.escape(part) for part in parts))


def _hole(text: str | None) -> int | None:
    # int() alone would also take " 10", "1_0" and "+10", which no camera writes.
    if text is None or not text.isdecimal():
        return None
    hole = int(text)
    return hole if hole <= LARGEST_HOLE else None
