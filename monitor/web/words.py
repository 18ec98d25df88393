"""Numbers and spans of time as people read them, in their language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def number(language: str, digits: int, value: float) -> str:
    """A number with so many digits behind its point, in Russian with a comma and with spaces between thousands."""
    text = f"{value:,.{digits}f}"
    # No-break spaces.
    return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",") if language == "ru" else text


def span(_: Callable[[str], str], seconds: float) -> str:
    """A span of time, such as "38 s", "12 min" or "1 h 20"; frame.js writes it in the same way."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return _("{} s").format(whole)
    if whole < HOUR:
        return _("{} min").format(whole // MINUTE)
    if whole < DAY:
        return _("{} h {}").format(whole // HOUR, f"{whole % HOUR // MINUTE:02}")
    return _("{} d").format(whole // DAY)


def clock(seconds: float) -> str:
    """An age as on a clock, such as "0:42" or "1:02:03"; frame.js writes it in the same way."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, MINUTE)
    return f"{minutes}:{rest:02}" if whole < HOUR else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
