"""What numbers of casts and names of alloys may be."""

from __future__ import annotations

from typing import Final

from monitor.files.text import printable

LONGEST_NAME: Final = 60


def checked_name(text: str) -> str:
    """The number of a cast, or an alloy, in printable form; raises `ValueError` for one that is empty or too long."""
    name = printable(text.strip())
    if not name:
        raise ValueError("is empty")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"has {len(name)} characters, and at most {LONGEST_NAME} are kept")
    return name
