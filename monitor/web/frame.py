"""What every page shows around its own content: the cast, the plant's time, and how many alarms wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.formulas.casts import believed
from monitor.store import casts
from monitor.store.alarms import running_counts

if TYPE_CHECKING:
    from monitor.web.site import Site


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a page.

    ``now``: on the plant's clock. ``open_alarms``: those that nobody has acknowledged. ``cast``, ``alloy``, ``phase``:
    None where it is not known.
    """

    now: datetime
    open_alarms: int
    cast: str | None
    alloy: str | None
    phase: str | None

    @property
    def offset(self) -> str:
        """The offset of the plant's clock, such as "+03:00"."""
        return self.now.isoformat()[-6:]


def frame_of(site: Site) -> Frame:
    """Look up the header as it is now."""
    now = datetime.now(UTC)
    with site.database.read() as connection:
        open_alarms = running_counts(connection).open
        said = casts.newest(connection)
    settings = site.configuration.settings.alarms.cast
    context = believed(
        said, now, maximum_age=timedelta(seconds=settings.maximum_age_seconds), followed=settings.file is not None
    )
    known = said if context.cast_id is not None else None
    return Frame(
        now=now.astimezone(site.zone),
        open_alarms=open_alarms,
        cast=known and known.number,
        alloy=known and known.alloy,
        phase=context.phase,
    )
