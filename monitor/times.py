"""Times on the plant's clock: read as people write them, and written as ISO 8601 or for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# The ends of the calendar.
FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601 -> UTC; without a zone of its own the time is of ``zone``. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """A time in ISO 8601, for JSON and CSV; None stays None."""
    return None if moment is None else moment.isoformat()


def moved(moment: datetime, by: timedelta) -> datetime:
    """A moment in UTC so much later, or earlier; at the ends of the calendar the first or the last that there is."""
    try:
        return moment + by
    except OverflowError:
        return FIRST if by < timedelta() else LAST


def on_clock(moment: datetime, zone: tzinfo) -> str:
    """A time for people, on the plant's clock with its offset, such as ``2024-05-01 17:30:59+03:00``."""
    try:
        moment = moment.astimezone(zone)
    except OverflowError:  # the first and the last day that there are
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "seconds")
