"""The table: every hole with its state, its last crop and its score against the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.store import alarms, traffic
from monitor.web.site import Site
from monitor.web.templating import page
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from starlette.requests import Request
    from starlette.responses import Response

# Holes whose last crop is older than this are not on the table.
SHOWN: Final = timedelta(hours=24)
# The states of a hole, strongest first; each has a shape of its own in the page's sprite.
STATES: Final = ("alarm", "ack", "quiet")


@dataclass(frozen=True, slots=True)
class Tile:
    """A hole as the table shows it; ``ratio``: the score of its last crop divided by the threshold."""

    camera: str
    hole: int
    state: str
    ratio: float
    crop_id: int
    at: datetime


def tiles(connection: Connection, now: datetime) -> list[Tile]:
    """The holes that gave crops lately, by camera and number."""
    running = {(one.camera, one.hole): one.state for one in reversed(alarms.running_subjects(connection))}
    found = [
        Tile(
            camera=one.camera or UNKNOWN,
            hole=one.hole,
            state=_state(running.get((one.camera or "", one.hole))),
            ratio=one.score / one.threshold if one.threshold else float("inf"),
            crop_id=one.id,
            at=one.decided_at,
        )
        for one in traffic.last_crops(connection, now - SHOWN)
        if one.hole is not None
    ]
    return sorted(found, key=lambda tile: (tile.camera, tile.hole))


def _state(of_alarm: str | None) -> str:
    return {"open": "alarm", "acknowledged": "ack"}.get(of_alarm or "", "quiet")


def show(request: Request) -> Response:
    """The page itself."""
    with Site.of(request).database.read() as connection:
        found = tiles(connection, datetime.now(UTC))
    counts = {state: sum(tile.state == state for tile in found) for state in STATES}
    return page(request, "table.html", tiles=found, counts=counts)
