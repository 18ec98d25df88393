"""What the values of single keys must be like; each check returns the value or raises `ValueError`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

# More would be more series than Prometheus should get, and more than any casting table has.
MOST_EXPECTED_HOLES: Final = 1000
MOST_EXPECTED_TOGETHER: Final = 10_000

LONGEST_WINDOW_DAYS: Final = 3660

# Between double quotation marks, TOML reads the backslash of "C:\new" as the beginning of a line break.
WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/\x00-\x1f]|\\\\")
WINDOWS_REMEDY: Final = (
    "is a Windows path, and monitor runs on Linux: mount the share there and write the folder's path, such as "
    "/mnt/crops"
)
# How often a sink gets a heartbeat; a key of every sink.
HEARTBEAT_SECONDS: Final = "heartbeat_seconds"
LONGEST_HEARTBEAT_SECONDS: Final = 86400
_SINK: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_VARIABLE: Final = re.compile(r"\$\{?[A-Za-z_]\w*\}?|%[A-Za-z_]\w*%")


def known_time_zone(name: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError('is not a known time zone; use a name such as "UTC" or "Europe/Moscow"') from None
    return name


def plain_path(value: object) -> object:
    """What is written where a path belongs, if it can be one on this system; the type is checked elsewhere."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("is empty; write a path")
    if WINDOWS_PATH.match(value):
        raise ValueError(WINDOWS_REMEDY)
    if _ADDRESS.match(value):
        raise ValueError("is an address and not a path; mount what is there and write the folder's path")
    if variable := _VARIABLE.search(value):
        raise ValueError(
            f"has {variable[0]} in it, which is not replaced by anything; write the path itself, or set the key in the "
            "environment, where the shell replaces it"
        )
    return value


def resolvable_path(path: Path) -> Path:
    """A path that can be followed, and that is not everything there is."""
    try:
        expanded = path.expanduser()
        # A relative path is followed later, from the folder of the configuration file.
        found = (Path("/") / expanded).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"is not a path that can be followed: {error}") from None
    if expanded.is_absolute() and found == Path("/"):
        raise ValueError("is the root of the file system, with everything in it; name a folder below it")
    return path


def none_if_empty(value: object) -> object:
    """None for an empty text, which is how TOML and an environment variable say that there is none."""
    return None if value == "" else value


def time_of_day(value: str) -> str:
    """Hours and minutes, as in 03:00."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError('is not a time of day; write hours and minutes as in "03:00"')
    return value


def windows_in_days(days: tuple[float, ...]) -> tuple[float, ...]:
    """Windows of more than 0 days and at most 3660."""
    if any(not 0 < one <= LONGEST_WINDOW_DAYS for one in days):
        raise ValueError(f"holds a window that is not between 0 and {LONGEST_WINDOW_DAYS} days")
    return days


def hole_ranges(cameras: dict[str, str]) -> dict[str, str]:
    """Each camera's holes as `parse_holes` reads them, and not too many of them."""
    together = 0
    for camera, text in cameras.items():
        try:
            holes = parse_holes(text)
        except ValueError as error:
            raise ValueError(f"camera {camera}: {error}") from None
        if len(holes) > MOST_EXPECTED_HOLES:
            raise ValueError(f"camera {camera}: {len(holes)} holes; at most {MOST_EXPECTED_HOLES} can be expected")
        together += len(holes)
    if together > MOST_EXPECTED_TOGETHER:
        raise ValueError(f"names {together} holes; at most {MOST_EXPECTED_TOGETHER} of all cameras can be expected")
    return cameras


def named_sinks(sinks: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Sinks of alarms, each of a kind and under a name that a metric's label can be; the kinds check the rest.

    ``heartbeat_seconds`` becomes a number where it is given as text, as in the environment.
    """
    for name, values in sinks.items():
        if not _SINK.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a sink: use up to 40 letters, digits, - and _")
        if not isinstance(values.get("kind"), str):
            # Not a TypeError, which pydantic would not turn into a sentence.
            raise ValueError(  # noqa: TRY004
                f'{name} has no kind; write one such as kind = "webhook" (see: monitor plugins)'
            )
    return {
        name: {key: _heartbeat(name, value) if key == HEARTBEAT_SECONDS else value for key, value in values.items()}
        for name, values in sinks.items()
    }


def own_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """What in the section of a sink is its kind's, and not of every sink."""
    return {key: value for key, value in values.items() if key not in ("kind", HEARTBEAT_SECONDS)}


def _heartbeat(name: str, value: object) -> float:
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type] # or else TypeError
    except (TypeError, ValueError):
        seconds = math.nan
    if seconds and not 1 <= seconds <= LONGEST_HEARTBEAT_SECONDS:
        raise ValueError(
            f"{name}.{HEARTBEAT_SECONDS} should be a number of seconds from 1 to {LONGEST_HEARTBEAT_SECONDS}, or 0"
        )
    return seconds


def parse_holes(text: str) -> frozenset[int]:
    """``"1-40, 45"`` -> the numbers of the holes; raises `ValueError`."""
    holes: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", part)
        if match is None:
            raise ValueError(f'{part.strip()!r} names no holes; write numbers and ranges as in "1-40, 45"')
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_EXPECTED_HOLES:
            raise ValueError(f"{part.strip()!r} does not rise, or by too much; write the lower hole first")
        holes.update(range(first, last + 1))
    return frozenset(holes)


def rows_of_holes(rows: tuple[str, ...]) -> tuple[str, ...]:
    """The rows of a table, each with holes as `parse_holes` reads them, none of which is in two rows."""
    seen: set[int] = set()
    for row in rows:
        holes = parse_holes(row)
        if twice := sorted(seen & holes):
            raise ValueError(f"row {row!r}: hole {twice[0]} is in another row already; a hole has one place")
        seen |= holes
        if len(seen) > MOST_EXPECTED_HOLES:
            raise ValueError(f"names more than {MOST_EXPECTED_HOLES} holes, which no casting table has")
    return rows


def different_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of detectors that are all different."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} more than once; name each detector once, the primary first")
    return names
