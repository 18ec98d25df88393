"""How the names of crops are read: the default pattern and time format, and which others are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

# Reads ``10_CAM_C_01-03-2023_05-39-27-929.jpg`` as hole 10, camera C, captured on 1 March 2023.
DEFAULT_NAME_PATTERN: Final = (
    r"(?P<hole>[0-9]+)_CAM_(?P<camera>[^_.]+)_"
    r"(?P<captured_at>[0-9]{2}-[0-9]{2}-[0-9]{4}_[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{1,6})(?![0-9])"
)
# The `strptime` format of the default pattern's time: day first, a fraction of a second last.
DEFAULT_TIME_FORMAT: Final = "%d-%m-%Y_%H-%M-%S-%f"

# The named groups that a pattern may have: the fields of `monitor.words.Identity`.
GROUPS: Final = ("hole", "camera", "captured_at")

# What network drives, desktops and file systems leave beside crops, with pictures in it that no camera took. Names with
# a leading dot, such as .Trash-1000 and AppleDouble's ._crop.jpg, are left alone in any case.
DEFAULT_IGNORED: Final = (
    # Synology and other network drives: thumbnails, recycle bins, snapshots.
    *("@eaDir", "@tmp", "@Recycle", "@Recently-Snapshot", "@__thumb", "#recycle", "#snapshot", "~snapshot"),
    *("SYNOPHOTO_*", "SYNOINDEX_*", "Recycle Bin", "trashbox", "Network Trash Folder", "Temporary Items"),
    # Windows and macOS.
    *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "Thumbs.db", "ehthumbs*.db", "desktop.ini", "__MACOSX"),
    # What a file system puts pieces of broken files into.
    *("lost+found", "LOST.DIR", "found.[0-9][0-9][0-9]"),
)


def checked_ignored_names(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Patterns of names; raises `ValueError` for a path and for a pattern that leaves no name."""
    for pattern in patterns:
        if not pattern or "/" in pattern:
            raise ValueError(f"holds {pattern!r}, which is not the name of a file or folder; write each name by itself")
        if not pattern.strip("*"):
            raise ValueError(f"holds {pattern!r}, which would leave out every file; write a part of the name as well")
    return patterns


def checked_name_pattern(pattern: str) -> str:
    """A regular expression with at least one of the named groups; raises `ValueError` for another one."""
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if not any(name in groups for name in GROUPS):
        named = ", ".join(f"(?P<{name}>…)" for name in GROUPS)
        raise ValueError(f"has none of the named groups {named}; at least one is needed")
    return pattern


def checked_time_format(time_format: str) -> str:
    """A format of `strptime` that holds a whole date; raises `ValueError` for another one."""
    sample = datetime(2023, 11, 30, 21, 45, tzinfo=UTC)
    try:
        restored = datetime.strptime(sample.strftime(time_format), time_format)  # noqa: DTZ007 - the date alone counts
    except (ValueError, re.error) as error:
        raise ValueError(f"is not one that Python's strptime reads: {error}") from error
    if restored.date() != sample.date():
        raise ValueError("holds no whole date; it needs a day, a month and a year, such as %d-%m-%Y")
    return time_format
