"""Holds what the receivers have got against what the store says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select

from monitor.alarms.messages import message
from monitor.store import alarms, outbox
from monitor.store.database.schema import crops
from tests.support.alarm_torture.stream import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database
    from tests.support.alarm_torture.receivers import Received, Receiver
    from tests.support.alarm_torture.stream import BleedOut


@dataclass(frozen=True)
class Stored:
    """What the store has. ``messages``: as receivers get them, by id, in the order of their numbers."""

    decided: int
    alarms: Sequence[AlarmRow]
    messages: Mapping[str, Mapping[str, Any]]
    due: int

    @property
    def running(self) -> list[int]:
        """The alarms that are not closed."""
        return [one.id for one in self.alarms if one.state != "closed"]

    @property
    def holes(self) -> dict[str, str]:
        """What receivers should show, by hole or "table": alarm or acknowledged."""
        shown: dict[str, str] = {}
        for one in self.alarms:
            if one.state == "closed" or one.withheld is not None:
                continue
            for hole in ("table", *map(str, one.holes)) if one.holes else (str(one.hole),):
                if shown.get(hole) != "alarm":
                    shown[hole] = "alarm" if one.state == "open" else "acknowledged"
        return shown


def stored(database: Database) -> Stored:
    """Read it."""
    with database.read() as connection:
        decided = int(connection.execute(select(func.count()).select_from(crops)).scalar_one())
        rows = alarms.listed(connection, closed=True, most=None)[::-1]
        deliveries = outbox.deliveries(connection, delivered=True, most=None)
    messages = {one.uid: message(one) for one in deliveries}
    return Stored(decided, rows, messages, sum(one.delivered_at is None for one in deliveries))


@dataclass
class Account:
    """What one receiver has got, held against the store; each list has the keys of messages."""

    name: str
    expected: int
    got: int
    repeats: int
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    wrong_state: str = ""

    @property
    def faults(self) -> list[str]:
        """What is wrong, in sentences."""
        names = ("missing", "unknown", "changed", "out_of_order")
        found = [f"{self.name}: {name}: {', '.join(keys)}" for name in names if (keys := getattr(self, name))]
        return found + ([f"{self.name}: shows {self.wrong_state}"] if self.wrong_state else [])


def account(receiver: Receiver, store: Stored) -> Account:
    """Count what a receiver has got, and look at what it shows."""
    known = {key: one for one in store.messages.values() if (key := receiver.key(one)) is not None}
    received = receiver.received()
    counts = Counter(one.key for one in received)
    found = Account(receiver.name, len(known), sum(key in known for key in counts), sum(counts.values()) - len(counts))
    found.missing = sorted(known.keys() - counts.keys())
    found.unknown = sorted(counts.keys() - known.keys())
    found.changed = sorted(
        {one.key for one in received if one.content is not None and one.key in known and one.content != known[one.key]}
    )
    if receiver.keeps_order:
        found.out_of_order = _out_of_order(received, known)
    if receiver.has_state:
        shown, wanted = receiver.shown(), receiver.to_show(store.holes, store.running)
        if shown != wanted:
            found.wrong_state = f"{sorted(shown)}, and not {sorted(wanted)}"
    return found


def _out_of_order(received: Sequence[Received], known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Those that came after a later one about the same hole; a repeat as well."""
    newest: dict[str, int] = {}
    found = []
    for one in received:
        told = known.get(one.key)
        if told is None:
            continue
        alarm = told["alarm"]
        lane = json.dumps([alarm["kind"], alarm["camera"], alarm["hole"], alarm["path"]])
        if told["number"] < newest.get(lane, 0):
            found.append(one.key)
        newest[lane] = max(newest.get(lane, 0), told["number"])
    return found


def events_without_their_alarm(truth: Sequence[BleedOut], store: Stored) -> list[str]:
    """What is wrong with the alarms of the bleed-outs, in sentences: each should have one, and there be no others."""
    found = []
    left = list(store.alarms)
    for event in truth:
        own = [one for one in left if one.hole == event.hole and event.first <= one.opened_on <= event.last]
        left = [one for one in left if one not in own]
        if len(own) != 1:
            found.append(f"the bleed-out of hole {event.hole} at {event.first:%H:%M:%S} has {len(own)} alarms")
    return found + [f"alarm {one.id} of hole {one.hole} at {one.opened_on:%H:%M:%S} is of no bleed-out" for one in left]


def seconds_until_received(receiver: Receiver, store: Stored, named_at: Mapping[Place, float]) -> list[float]:
    """Of each alarm, from when the file that opened it got its name until its receiver had the message."""
    received: dict[str, float] = {}
    for one in receiver.received():
        received.setdefault(one.key, one.at)
    opened_on: dict[int, datetime] = {one.id: one.opened_on.astimezone(UTC) for one in store.alarms}
    holes = {one.id: one.hole for one in store.alarms}
    found = []
    for told in store.messages.values():
        key, number = receiver.key(told), told["alarm"]["id"]
        if told["kind"] == "opened" and key in received:
            found.append(received[key] - named_at[Place(holes[number], opened_on[number])])
    return found


def quantiles(seconds: Sequence[float]) -> str:
    """The median, the 99th percentile and the longest, in milliseconds."""
    if not seconds:
        return "none"
    middle, late, last = np.quantile(seconds, [0.5, 0.99, 1.0], method="higher")
    return f"{1000 * middle:.0f}, {1000 * late:.0f}, {1000 * last:.0f}"
