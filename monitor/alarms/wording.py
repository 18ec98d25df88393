"""What an alarm is called, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.files.text import printable
from monitor.store.alarms import NO_HOLE
from monitor.times import iso
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.alarms import AlarmRow

# What an alarm of the table says beside its holes.
ALL_TOGETHER: Final = "all together: light, camera or a large bleed-out"


def about(kind: str, camera: str, hole: int, path: str | None, holes: Sequence[int] | None = None) -> str:
    """What an alarm is about, such as "hole 10 of camera C"."""
    of = f"camera {printable(camera or UNKNOWN)}"
    if kind == "file":
        return printable(path or UNKNOWN)
    if kind == "hole":
        return f"hole {UNKNOWN if hole == NO_HOLE else hole} of {of}"
    named = f"holes {', '.join(map(str, holes))}" if holes else "many holes"
    return f"the table of {of}, {named}: {ALL_TOGETHER}"


def about_row(row: AlarmRow) -> str:
    """The same of a stored alarm."""
    return about(row.kind, row.camera, row.hole, row.path, row.holes)


def as_dict(row: AlarmRow) -> dict[str, Any]:
    """An alarm by name, ready for JSON: null for what is not known, times in UTC."""
    values = row._asdict()
    del values["place"]
    return {
        **{name: iso(value) if name.endswith(("_at", "_on")) else value for name, value in values.items()},
        "camera": row.camera or None,
        "hole": None if row.hole == NO_HOLE else row.hole,
        "about": about_row(row),
    }
