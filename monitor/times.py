"""Times in ISO 8601 on the plant's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, of ``zone`` unless it names one itself -> UTC; raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
