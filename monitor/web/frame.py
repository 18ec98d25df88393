"""What every page shows around its own content: the cast, the plant's time, who asks, and how many alarms wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.store import casts
from monitor.store.alarms import running_counts
from monitor.upkeep.cast import believed_cast
from monitor.web.site import Site

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from starlette.requests import Request

    from monitor.upkeep.troubles import Trouble


@dataclass(frozen=True, slots=True)
class Cast:
    """The cast that runs and its phase, and since when; None where that is not known."""

    number: str | None = None
    alloy: str | None = None
    phase: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a page.

    ``now``: on the plant's clock. ``open_alarms``: those that nobody has acknowledged. ``troubles``: what is wrong with
    the system itself, worst first.
    """

    now: datetime
    open_alarms: int
    cast: Cast
    troubles: tuple[Trouble, ...]

    @property
    def offset(self) -> str:
        """The offset of the plant's clock, such as "+03:00"."""
        return self.now.isoformat()[-6:]

    @property
    def offset_seconds(self) -> int:
        """The same in seconds."""
        return int((self.now.utcoffset() or timedelta()).total_seconds())


def frame_of(request: Request) -> Frame:
    """Look up the header as it is now."""
    site, now = Site.of(request), datetime.now(UTC)
    with site.database.read() as connection:
        open_alarms = running_counts(connection).open
        cast = cast_of(connection, site, now)
    return Frame(now.astimezone(site.zone), open_alarms, cast, site.live.troubles.value(now))


def cast_of(connection: Connection, site: Site, now: datetime) -> Cast:
    """What is believed of the cast."""
    said = casts.newest(connection)
    context = believed_cast(site.configuration, said, now)
    if said is None:
        return Cast()
    known = said if context.cast_id is not None else None
    return Cast(known and known.number, known and known.alloy, context.phase, said.at if context.phase else None)
