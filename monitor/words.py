"""The words that all parts of the program speak: labels, sources, reasons, identities."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


LONGEST_AUTHOR: Final = 100
LONGEST_NOTE: Final = 1000

DECISION: Final = "decision"
"""What stands for the final decision where a detector is named; no detector may be called so."""

# Stands for a camera or a hole that the file's name does not tell.
UNKNOWN: Final = "unknown"

Source = Literal["inbox", "folder"]
"""Where a crop was found: by the daemon, or in a folder that was scored by hand."""


class Reason(StrEnum):
    """Why a file is refused: a bounded set, for it labels a metric and fills a column."""

    VANISHED = "vanished"
    """The file is gone."""
    SYMLINK = "symlink"
    """The name is a symbolic link; links are never followed."""
    NOT_A_FILE = "not_a_file"
    """A folder, a pipe, a socket or a device."""
    UNREADABLE = "unreadable"
    """The operating system refuses to open or to read it."""
    EMPTY = "empty"
    """It holds no bytes."""
    TOO_LARGE = "too_large"
    """It holds more bytes than allowed."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """Its header announces more pixels than allowed."""
    UNKNOWN_FORMAT = "unknown_format"
    """It begins like none of the accepted formats."""
    TRUNCATED = "truncated"
    """It ends before its picture does."""
    UNDECODABLE = "undecodable"
    """It is complete but damaged, or of a kind within its format that cannot be read."""
    # Nothing is wrong with the file: an older program made no decision on it while the active models were exchanged.
    # Only `monitor db upgrade` gives this reason, to rows that had none; such a file is read and decided again.
    UNDECIDED = "undecided"


class Identity(NamedTuple):
    """Where and when a crop was taken, as far as its name says; ``captured_at`` is in UTC and aware of it."""

    hole: int | None
    camera: str | None
    captured_at: datetime | None


class Label(StrEnum):
    """What a person says a crop shows; proliv (bleed-out) is the positive one."""

    PROLIV = "proliv"
    NE_PROLIV = "ne_proliv"
