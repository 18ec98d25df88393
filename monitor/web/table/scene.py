"""All that the start page shows at one moment, as values: two scenes are compared to tell what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.store import casts, pauses
from monitor.store.alarms import running_subjects
from monitor.web.frame import cast_of
from monitor.web.table.alarm_cards import Cards, cards_of
from monitor.web.table.tiles import Facts, counts_of, tables_of

if TYPE_CHECKING:
    from monitor.upkeep.troubles import Trouble
    from monitor.web.frame import Cast
    from monitor.web.live.figures import Figures
    from monitor.web.site import Site
    from monitor.web.table.tiles import Table


@dataclass(frozen=True)
class Scene:
    """What is shown; ``counts``: how many holes are in each state; ``figures``: None until they are known."""

    now: datetime
    tables: tuple[Table, ...]
    counts: dict[str, int]
    cards: Cards
    cast: Cast
    troubles: tuple[Trouble, ...]
    figures: Figures | None


def look(site: Site) -> Scene:
    """Look at everything in one view of the database."""
    now = datetime.now(UTC)
    live, settings = site.live, site.configuration.settings
    with site.database.read() as connection:
        live.board.refresh(connection, now)
        newest = live.board.newest(now)
        cast = cast_of(connection, site, now)
        running = running_subjects(connection)
        paused = pauses.running(connection, now)
        cards = cards_of(connection)
        row = casts.running(connection) if cast.number is not None else None
    figures = live.figures.value(now)
    learned = figures.expected if figures is not None else ()
    facts = Facts(newest, running, paused, row and row.started_at, learned)
    tables = tuple(tables_of(facts, settings, now))
    return Scene(now, tables, counts_of(tables), cards, cast, live.troubles.value(now), figures)
