"""What an alarm is called, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.files.text import printable
from monitor.store.alarms import NO_HOLE, PROLIV
from monitor.times import iso
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.alarms import AlarmRow

# What an alarm of the table says beside its holes.
ALL_TOGETHER: Final = "all together: light, camera or a large bleed-out"


def about(
    kind: str, camera: str, hole: int, path: str | None, holes: Sequence[int] | None = None, *, sign: str = PROLIV
) -> str:
    """What an alarm is about, such as "hole 10 of camera C", or "unusual crops of hole 10 of camera C"."""
    if sign != PROLIV:
        return f"{sign} crops of {about(kind, camera, hole, path, holes)}"
    of = f"camera {printable(camera or UNKNOWN)}"
    if kind == "file":
        return printable(path or UNKNOWN)
    if kind == "hole":
        return f"hole {UNKNOWN if hole == NO_HOLE else hole} of {of}"
    named = f"holes {', '.join(map(str, holes))}" if holes else "many holes"
    return f"the table of {of}, {named}: {ALL_TOGETHER}"


def about_row(row: AlarmRow) -> str:
    """The same of a stored alarm."""
    return about(row.kind, row.camera, row.hole, row.path, row.holes, sign=row.sign)


def state(row: AlarmRow) -> str:
    """The state of an alarm, and why nobody was told of it if that is so."""
    if row.withheld is None:
        return row.state
    return f"{row.state}, not told: {untold(row.withheld, row.pause_id)}"


def untold(withheld: str, pause_id: int | None) -> str:
    """Why nobody is told of an alarm, such as "pause 3"."""
    return withheld if pause_id is None else f"{withheld} {pause_id}"


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
