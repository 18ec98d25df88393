"""Who is killed when: drawn by a seed, and done by a thread for each victim; and a person who deals with alarms."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from sqlalchemy import func, select

from monitor.alarms.acknowledgement import acknowledge, close
from monitor.errors import DataError
from monitor.store import alarms
from monitor.store.database.schema import crops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Alarms
    from monitor.store.database.engine import Database
    from tests.support.alarm_torture.stream import BleedOut, Feeder

LONGEST_DOWN_SECONDS: Final = 5.0
# How long it is waited for a message to be on its way, so that the kill falls into it.
LURKING_SECONDS: Final = 5.0
# After the last crop of a bleed-out, as long as its alarm takes others.
OVER: Final = timedelta(seconds=61)


class Attack(NamedTuple):
    """A kill. ``at``: seconds after the beginning; ``down``: until the victim is started again.

    ``lurks``: it comes so many seconds after the next message that anybody has got, if one comes soon; None: at once.
    """

    at: float
    down: float
    lurks: float | None


class Victim(Protocol):
    """Who can be killed and started again."""

    def start(self) -> object:
        """Start it."""

    def kill(self) -> object:
        """Kill it."""


def plan(seed: int, kills: Mapping[str, int], seconds: float) -> dict[str, list[Attack]]:
    """When each victim is killed, as often as ``kills`` says, within so many seconds."""
    chance = random.Random(f"{seed} attacks")
    attacks = {}
    for name, count in sorted(kills.items()):
        attacks[name] = [
            Attack(at, chance.uniform(0, LONGEST_DOWN_SECONDS), chance.choice([None, chance.uniform(0, 0.3)]))
            for at in sorted(chance.uniform(0.5, seconds) for _ in range(count))
        ]
    return attacks


class Attackers:
    """Carry out a plan, in threads; ``messages``: how many messages have come by now."""

    def __init__(
        self, attacks: Mapping[str, Sequence[Attack]], victims: Mapping[str, Victim], messages: Callable[[], int]
    ) -> None:
        self.done: dict[str, int] = dict.fromkeys(attacks, 0)
        self.failures: list[str] = []
        self._messages = messages
        self._stopped = Event()
        self._threads = [
            Thread(target=self._run, args=(name, victims[name], some), name=f"attack {name}")
            for name, some in attacks.items()
        ]

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._stopped.set()
        for one in self._threads:
            one.join()

    def _run(self, name: str, victim: Victim, attacks: Sequence[Attack]) -> None:
        try:
            for one in attacks:
                if self._stopped.wait(max(0.0, self._began + one.at - time.monotonic())):
                    return
                self._lurk(one)
                victim.kill()
                self.done[name] += 1
                self._stopped.wait(one.down)
                victim.start()
        except Exception as error:  # noqa: BLE001 - told at the end
            self.failures.append(f"{name}: {type(error).__name__}: {error}")

    def _lurk(self, attack: Attack) -> None:
        if attack.lurks is None:
            return
        until, before = time.monotonic() + LURKING_SECONDS, self._messages()
        while self._messages() == before and time.monotonic() < until and not self._stopped.wait(0.01):
            pass
        self._stopped.wait(attack.lurks)


class Person:
    """Acknowledges some alarms, and closes some whose bleed-out is over, at moments drawn by a seed; in a thread."""

    def __init__(
        self, database: Database, settings: Alarms, truth: Sequence[BleedOut], feeder: Feeder, seed: int
    ) -> None:
        self._database = database
        self._settings = settings
        self._truth = truth
        self._feeder = feeder
        self._chance = random.Random(f"{seed} person")
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="person")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        # As often as there are bleed-outs, so that some alarms are left as they are.
        pause = self._feeder.seconds / (len(self._truth) + 1)
        while not self._stopped.wait(self._chance.uniform(0.5, 1.5) * pause):
            with self._database.read() as connection:
                rows = alarms.listed(connection, closed=False, most=None)
                over = {event.hole for event in self._truth if self._is_over(connection, event)}
            closing = self._chance.random() < 0.4
            some = [one.id for one in rows if (one.hole in over if closing else one.state == "open")]
            if not some:
                continue
            act = close if closing else acknowledge
            try:
                act(
                    *(self._database, self._settings, self._chance.choice(some)),
                    by="anna", note=None, at=datetime.now(UTC), zone=UTC,
                )  # fmt: skip
            except DataError:  # it is over by now
                continue

    def _is_over(self, connection: Connection, event: BleedOut) -> bool:
        """Whether the hole has long been quiet and all its crops until then are decided: none will open another."""
        until = event.last + OVER
        if self._feeder.table_time < until:
            return False
        given = sum(place.hole == event.hole and place.at <= until for place in list(self._feeder.named_at))
        count = select(func.count()).where(crops.c.hole == event.hole, crops.c.captured_at <= until)
        return bool(connection.execute(count).scalar_one() == given)
