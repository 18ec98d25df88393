"""The alarms that are not closed, as the start page shows them: what waits for a person first, the oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.store import alarms, outbox
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.alarms import AlarmRow

# How many of the newest alarms are looked at, and how many of those have a card.
LOOKED_AT: Final = 500
SHOWN: Final = 20


class Card(NamedTuple):
    """An alarm.

    ``ratio``: its highest score divided by the threshold; ``told``: how many of the ``sinks`` have heard of it.
    """

    id: int
    kind: str
    sign: str
    camera: str
    hole: int
    path: str | None
    is_open: bool
    opened_at: datetime
    crops: int
    ratio: float | None
    crop_id: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    told: int
    sinks: int


class Cards(NamedTuple):
    """The cards; how many alarms nobody has acknowledged, and how many there are; the last one that closed."""

    shown: tuple[Card, ...]
    open: int
    all: int
    last_closed: Card | None
    last_closed_at: datetime | None


def cards_of(connection: Connection) -> Cards:
    """Look up the alarms that are not closed and were told."""
    counts = alarms.running_counts(connection)
    rows = [row for row in alarms.listed(connection, closed=False, most=LOOKED_AT) if row.withheld is None]
    rows = sorted(rows, key=lambda row: (row.state != "open", row.id))[:SHOWN]
    told: dict[int, set[str]] = {}
    sinks: dict[int, set[str]] = {}
    for one in outbox.deliveries_of(connection, [row.id for row in rows]) if rows else ():
        sinks.setdefault(one.alarm_id, set()).add(one.sink)
        if one.kind == "opened" and one.delivered_at is not None:
            told.setdefault(one.alarm_id, set()).add(one.sink)
    shown = tuple(_card(row, len(told.get(row.id, ())), len(sinks.get(row.id, ()))) for row in rows)
    last = None if shown else next(iter(alarms.listed(connection, closed=True, most=1)), None)
    return Cards(
        shown,
        counts.open,
        counts.open + counts.acknowledged,
        last and _card(last, 0, 0),
        last and last.closed_at,
    )


def _card(row: AlarmRow, told: int, sinks: int) -> Card:
    return Card(
        id=row.id,
        kind=row.kind,
        sign=row.sign,
        camera=row.camera or UNKNOWN,
        hole=row.hole,
        path=row.path,
        is_open=row.state == "open",
        opened_at=row.told_at or row.opened_at,
        crops=row.crops,
        ratio=row.score / row.threshold if row.threshold > 0 else None,
        crop_id=row.highest_crop_id,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        note=row.acknowledged_note,
        told=told,
        sinks=sinks,
    )
