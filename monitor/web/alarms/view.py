"""What the page of an alarm shows: its drawing, its crops, who did what, its deliveries and its evidence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.store import alarm_evidence, alarm_pages, alarms, outbox
from monitor.store.alarms import NO_HOLE
from monitor.web.alarms.chart import chart_of, ratio_of
from monitor.web.units import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.alarm_settings import Alarms
    from monitor.store.alarm_pages import SeenCrop
    from monitor.store.alarms import AlarmRow
    from monitor.store.outbox import Due
    from monitor.web.alarms.chart import Chart
    from monitor.web.site import Site

# Crops in the strip, and in the drawing.
STRIP: Final = 12
DRAWN: Final = 600


class Frame(NamedTuple):
    """A crop in the strip."""

    crop_id: int
    hole: int | None
    at: datetime
    ratio: float | None
    proliv: bool


class Event(NamedTuple):
    """A line of the history.

    ``what``: "opened", "told", "last", "acknowledged", "labelled", "quiet", "closed", "ended" (by itself) or "part" (of
    another alarm). ``note``: what the person wrote, or the label.
    """

    at: datetime
    what: str
    by: str | None = None
    note: str | None = None
    seconds: float | None = None
    number: int | None = None


class Delivery(NamedTuple):
    """How far a sink is with the messages about an alarm.

    ``state``: "received", "waits", "again" (tried, and will be tried again at ``next_try_at``) or "unknown" (no such
    sink is configured any more). ``seconds``: from the first message to its receipt.
    """

    sink: str
    kind: str | None
    state: str
    seconds: float | None
    received: int
    messages: int
    next_try_at: datetime
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class View:
    """The parts of the page. ``kept``, ``evidence``: of how many crops that it was decided on the content is kept.

    ``problems``: why not, by crop. ``untold``: the pause's number where nobody was told, 0 for another reason.
    """

    chart: Chart | None
    ratio: float
    strip: list[Frame]
    history: list[Event]
    deliveries: list[Delivery]
    parts: list[AlarmRow]
    kept: int
    evidence: int
    problems: list[tuple[int, str | None]]

    @property
    def behind(self) -> int:
        """How many sinks have yet to get something."""
        return sum(one.state in ("waits", "again") for one in self.deliveries)


def view_of(connection: Connection, alarm: AlarmRow, site: Site, now: datetime) -> View:
    """Look up the parts of an alarm's page."""
    settings = site.configuration.settings.alarms
    evidence = alarm_evidence.of_alarm(connection, alarm.id)
    decided_on = alarm_pages.seen(connection, [one.crop_id for one in evidence])
    members = alarm_pages.newest_members(connection, alarm.id, DRAWN)
    parts = alarms.parts_of(connection, alarm.id)
    around = members
    if alarm.kind == "hole" and alarm.hole != NO_HOLE and (of := alarm_pages.span(connection, alarm.id)) is not None:
        around = alarm_pages.around(connection, alarm.camera, alarm.hole, of, DRAWN)
    return View(
        chart=chart_of(alarm, around, site.zone),
        ratio=share_of(alarm.score, alarm.threshold),
        strip=_strip(decided_on, members),
        history=_history(connection, alarm, settings, now),
        deliveries=deliveries_by_sink(
            outbox.deliveries_of(connection, [alarm.id, *(part.id for part in parts)]), settings
        ),
        parts=parts,
        kept=sum(one.state == "kept" for one in evidence),
        evidence=len(evidence),
        problems=[(one.crop_id, one.problem) for one in evidence if one.state != "kept"],
    )


def _strip(decided_on: Sequence[SeenCrop], members: Sequence[SeenCrop]) -> list[Frame]:
    """What opened the alarm with what was before, and as many of its newest crops as there is room for."""
    chosen = {crop.id: crop for crop in decided_on[:STRIP]}
    for crop in reversed(members):
        if len(chosen) >= STRIP:
            break
        chosen.setdefault(crop.id, crop)
    return [
        Frame(crop.id, crop.hole, crop.at, ratio_of(crop), crop.verdict == "proliv")
        for crop in sorted(chosen.values(), key=lambda crop: (crop.at, crop.id))
    ]


def _history(connection: Connection, alarm: AlarmRow, settings: Alarms, now: datetime) -> list[Event]:
    events = [Event(alarm.opened_at, "opened"), Event(alarm.last_decided_at, "last")]
    if alarm.told_at is not None:
        events.append(Event(alarm.told_at, "told"))
    if alarm.acknowledged_at is not None:
        since = alarm.told_at or alarm.opened_at
        events.append(
            Event(
                *(alarm.acknowledged_at, "acknowledged", alarm.acknowledged_by, alarm.acknowledged_note),
                (alarm.acknowledged_at - since).total_seconds(),
            )
        )
    events += [
        Event(one.at, "labelled", one.author, one.label, number=one.crops)
        for one in alarm_pages.said(connection, alarm.id)
    ]
    quiet_at = alarm.last_decided_at + timedelta(seconds=settings.pause_seconds)
    if alarm.closed_at is not None:
        what = "part" if alarm.part_of is not None else "closed" if alarm.closed_by else "ended"
        events.append(Event(alarm.closed_at, what, alarm.closed_by, alarm.closed_note, number=alarm.part_of))
    elif quiet_at <= now:
        events.append(Event(quiet_at, "quiet", seconds=settings.pause_seconds))
    return sorted(events, key=lambda event: event.at)


def deliveries_by_sink(rows: Sequence[Due], settings: Alarms) -> list[Delivery]:
    """How far each sink is, in the configuration's order; those that it does not name any more come last."""
    of: defaultdict[str, list[Due]] = defaultdict(list)
    for row in rows:
        of[row.sink].append(row)
    order = {name: number for number, name in enumerate(settings.sinks)}
    return [
        _delivery(name, of[name], settings) for name in sorted(of, key=lambda name: (order.get(name, len(order)), name))
    ]


def _delivery(sink: str, rows: Sequence[Due], settings: Alarms) -> Delivery:
    due = [row for row in rows if row.delivered_at is None]
    known = settings.sinks.get(sink)
    head = due[0] if due else rows[0]
    state = "received" if not due else "unknown" if known is None else "again" if head.error else "waits"
    first = rows[0]
    return Delivery(
        sink=sink,
        kind=None if known is None else str(known["kind"]),
        state=state,
        seconds=None if first.delivered_at is None else (first.delivered_at - first.at).total_seconds(),
        received=len(rows) - len(due),
        messages=len(rows),
        next_try_at=head.next_try_at,
        attempts=head.attempts,
        error=head.error if due else None,
    )
