"""A year of nights on a virtual clock: ``python -m tests.support.simulated_year`` prints what became of it.

The scores are made up; the SQLite file, the schedule, the evidence, the rules, the guard and the tables are real. What
happens: a slow drift all year, a sudden change of the light, a flood of wrong labels and a smaller one, a rollback, two
months without proliv, forty daemons killed at random moments (also in the middle of a run), both nights of a change of
clocks, two daemons on one database, a night in which the database is locked, and a clock that jumps back a day.

People label every alarm, twenty crops a week that were drawn at random, and most of the missed proliv: metal on the
floor is noticed.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select

from monitor.configuration.settings import Calibration
from monitor.daemon.schedule import DailyJob, newest_slot
from monitor.store import calibrations
from monitor.store.database import schema
from monitor.store.database.engine import Database
from monitor.store.references import ReferenceRow
from monitor.store.runs import NIGHTLY
from monitor.thresholds.calibration import calibrate, recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.nightly import summary
from tests.support.made_up import MadeUp, made_up, midpoint, store_audit, store_crop, store_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from monitor.thresholds.rules import Rules

ZONE = ZoneInfo("Europe/Berlin")
# Within the hour that the clocks skip in spring and repeat in autumn.
AT = "02:30"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAYS = 365
CROPS_A_DAY = 96
LIGHT_CHANGES_ON = 150
FLOOD_ON = 230
MISTAKE_ON = 245
CORRECTED_ON = 252
ROLLED_BACK_ON = 260
WITHOUT_PROLIV = range(270, 330)
LOCKED_ON = 40
CLOCK_JUMPS_ON = 60
KILLS = 40
# The share of missed proliv that is noticed and labelled.
NOTICED = 0.7
# When the daemons look at their clocks, in minutes from each day's slot.
MINUTES_OF_TICKS = (-30, 0, 1, 16, 17, 40, 90)


class Killed(BaseException):
    """The end of a daemon by `kill -9`: nothing that follows is run."""


class MortalDatabase(Database):
    """A database that ends its program after a number of transactions, before or after the commit."""

    def __init__(self, url: str, generator: random.Random) -> None:
        super().__init__(url, busy_seconds=0.2)
        self.generator = generator
        self.transactions_left: int | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._count()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._count()
        with super().write() as connection:
            yield connection
            if self.transactions_left == 0 and self.generator.random() < 0.5:
                raise Killed
        if self.transactions_left == 0:
            raise Killed

    def _count(self) -> None:
        if self.transactions_left is not None:
            if self.transactions_left <= 0:
                raise Killed
            self.transactions_left -= 1


@dataclass
class Daemon:
    """One of two programs on the database; a killed one is replaced by a new process with a new owner."""

    url: str
    rules: Rules
    generator: random.Random
    database: MortalDatabase = field(init=False)
    job: DailyJob = field(init=False)
    kills: int = 0

    def __post_init__(self) -> None:
        self.database = MortalDatabase(self.url, self.generator)
        self.job = DailyJob(self.database, NIGHTLY, at=AT, time_zone=ZONE, run=self._run)

    def _run(self, run_id: int, now: datetime) -> str:
        return summary(recalibrate(self.database, self.rules, ChangeRequest(now, "nightly", run_id)))

    def tick(self, now: datetime) -> None:
        try:
            self.job.tick(now)
        except Killed:
            self.restart()

    def restart(self) -> None:
        self.kills += 1
        self.database.close()
        self.__post_init__()


@dataclass
class Year:
    """What happened: true labels and scores of every crop by day, and the thresholds in force."""

    days: list[int] = field(default_factory=list)
    truth: list[bool] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    first_threshold: float = 0.0
    finished: list[datetime] = field(default_factory=list)
    expected: list[datetime] = field(default_factory=list)
    changes_by_run: Counter[tuple[int, int]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[datetime, str, str]] = field(default_factory=list)
    set_aside: dict[str, datetime] = field(default_factory=dict)
    kills: int = 0

    def rates(self, first: int, last: int, *, recalibrated: bool) -> tuple[float, float]:
        """TPR and TNR over the days from first to last, the latter not included."""
        days, truth, values = np.array(self.days), np.array(self.truth), np.array(self.values)
        thresholds = np.array(self.thresholds) if recalibrated else np.full(len(days), self.first_threshold)
        meant = (days >= first) & (days < last)
        decided = values >= thresholds
        caught, passed = decided[meant & truth], ~decided[meant & ~truth]
        return float(caught.mean()) if len(caught) else float("nan"), float(passed.mean())


class Line:
    """The made-up line: what its scores are on a day, and what people label."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def level(self, day: float) -> float:
        """By how much the light and the dirt on the lens raise every score."""
        return float(np.exp(0.0015 * day) * (0.65 if day >= LIGHT_CHANGES_ON else 1.0))

    def normal(self, count: int, day: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        return self.level(day) * np.exp(self.generator.normal(0.0, 0.18, count))

    def proliv(self, count: int, day: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        # Crops of one incident resemble each other.
        return self.level(day) * np.exp(self.generator.normal(0.9, 0.12) + self.generator.normal(0, 0.15, count))


def simulate(folder: Path, seed: int = 0) -> Year:
    """Live through a year."""
    with made_up(folder) as made:
        return _live(made, folder / "monitor.db", seed)


def _live(made: MadeUp, file: Path, seed: int) -> Year:
    line, dice, year = Line(seed), random.Random(seed), Year()
    rules = midpoint(Calibration(at=AT))
    _install(made, line, rules, year)
    daemons = [Daemon(f"sqlite:///{file}", rules, dice) for _ in range(2)]
    for daemon in daemons:
        daemon.job.begin(START)
    kill_on = Counter(dice.sample(range(1, DAYS), KILLS))
    life = Life(made, line, year)
    for day in range(1, DAYS):
        life.day(day)
        slot = newest_slot(AT, ZONE, START + timedelta(days=day))
        year.expected.append(slot)
        if kill_on[day]:
            dice.choice(daemons).database.transactions_left = dice.randrange(8)
        for minutes in MINUTES_OF_TICKS:
            now = slot + timedelta(minutes=minutes)
            if day == CLOCK_JUMPS_ON and minutes == 40:
                now -= timedelta(hours=26)
            with _locked(file, day == LOCKED_ON and minutes in (0, 1)):
                _at_once(daemons, now)
        for daemon in daemons:
            if daemon.database.transactions_left is not None:
                daemon.restart()  # killed while it had nothing to do
    year.kills = sum(daemon.kills for daemon in daemons)
    _read_back(made.database, year)
    return year


def _at_once(daemons: list[Daemon], now: datetime) -> None:
    threads = [Thread(target=daemon.tick, args=(now,)) for daemon in daemons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _locked(file: Path, is_locked: bool) -> Iterator[None]:
    if not is_locked:
        yield
        return
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _install(made: MadeUp, line: Line, rules: Rules, year: Year) -> None:
    """Train and calibrate: 600 held-out crops, and 60 proliv crops of one incident."""
    given = [
        ReferenceRow(f"n{index}", "ne_proliv", score, None, None)
        for index, score in enumerate(line.normal(600, 0).tolist())
    ]
    given += [
        ReferenceRow(f"p{index}", "proliv", score, "C", START - timedelta(days=30, seconds=index))
        for index, score in enumerate(line.proliv(60, 0).tolist())
    ]
    outcome = calibrate(made.database, made.model, rules, given, ChangeRequest(START, "calibrate"), data=Path("given"))
    assert outcome.threshold is not None
    year.first_threshold = outcome.threshold


class Life:
    """Crops come, and people label them, sometimes wrongly."""

    def __init__(self, made: MadeUp, line: Line, year: Year) -> None:
        self.made, self.line, self.year = made, line, year
        self.next_id = 1
        self.audited_until = 0
        self.mistaken = range(0)
        self.waiting: list[int] = []  # crops that no random draw has covered yet, without an alarm

    def day(self, day: int) -> None:
        begin = START + timedelta(days=day - 1)
        evening = begin + timedelta(hours=10)
        with self.made.database.write() as connection:
            self._crops(connection, day, begin, evening)
            if day % 7 == 0:
                self._audit(connection, evening)
            if day == FLOOD_ON:
                self._mislabel(connection, 700, evening)
            if day == MISTAKE_ON:
                self._mislabel(connection, 300, evening)
                self.mistaken = range(self.next_id - 300, self.next_id)
            if day == CORRECTED_ON:
                for crop in self.mistaken:
                    self._label(connection, crop, "trainee", evening)
            if day == ROLLED_BACK_ON:
                calibrations.roll_back(connection, self.made.model.id, evening)

    def _crops(self, connection: Connection, day: int, begin: datetime, evening: datetime) -> None:
        active = calibrations.active(connection, self.made.model.id)
        assert active is not None
        assert active.threshold is not None
        normal = self.line.normal(CROPS_A_DAY, day)
        happens = day % 9 == 4 and day not in WITHOUT_PROLIV
        proliv = self.line.proliv(6, day) if happens else np.empty(0)
        for index, value in enumerate(np.concatenate([normal, proliv]).tolist()):
            is_proliv = index >= len(normal)
            # A proliv is one incident of a minute; the other crops come all day.
            minutes = 600 + (index - len(normal)) / 6 if is_proliv else index * 1440 / CROPS_A_DAY
            crop, at = self.next_id, begin + timedelta(minutes=minutes)
            self.next_id += 1
            alarmed = store_crop(connection, active, crop, value, active.threshold, at, hole=crop % 20)
            self.year.days.append(day)
            self.year.truth.append(is_proliv)
            self.year.values.append(value)
            self.year.thresholds.append(active.threshold)
            if alarmed or (is_proliv and self.line.generator.random() < NOTICED):
                self._label(connection, crop, "shift leader", evening)
            if not alarmed:
                self.waiting.append(crop)

    def _label(self, connection: Connection, crop: int, author: str, at: datetime) -> None:
        """Label a crop as what it is."""
        store_label(connection, crop, "proliv" if self.year.truth[crop - 1] else "ne_proliv", author, at)

    def _mislabel(self, connection: Connection, count: int, at: datetime) -> None:
        """A folder is copied to the wrong place."""
        for crop in range(self.next_id - count, self.next_id):
            store_label(connection, crop, "proliv", "trainee", at + timedelta(minutes=5))

    def _audit(self, connection: Connection, at: datetime) -> None:
        drawn = self.line.generator.choice(self.waiting, 20, replace=False).tolist()
        span = range(self.audited_until + 1, self.next_id)
        store_audit(connection, drawn, len(self.waiting), span, at)
        for crop in drawn:
            self._label(connection, crop, "shift leader", at)
        self.audited_until, self.waiting = self.next_id - 1, []


def _read_back(database: Database, year: Year) -> None:
    with database.read() as connection:
        runs, chosen = schema.runs, schema.calibrations
        for row in connection.execute(select(runs.c.slot, runs.c.finished_at, runs.c.outcome).order_by(runs.c.slot)):
            if row.outcome != "before the first start":
                assert row.finished_at is not None, row.slot
                year.finished.append(row.slot)
                year.outcomes[row.outcome] += 1
        for row in connection.execute(select(chosen).order_by(chosen.c.id)):
            if row.run_id is not None:
                year.changes_by_run[row.model_id, row.run_id] += 1
            for sentence in row.evidence["set_aside"]:
                year.set_aside.setdefault(sentence, row.created_at)
            if row.state == "refused":
                year.refusals.append((row.created_at, row.refusal, row.reason))


def report(year: Year) -> str:
    """The year as text."""
    lines = [
        f"slots {len(year.expected)}, nightly runs {len(year.finished)}, each slot once: "
        f"{year.finished == year.expected}; daemons killed {year.kills}",
        "outcomes: " + ", ".join(f"{count} x {outcome}" for outcome, count in year.outcomes.most_common()),
        "",
        f"{'days':<12}{'TPR recalibrated':>18}{'without':>10}{'TNR recalibrated':>18}{'without':>10}",
    ]
    for first, last in [*((day, min(day + 30, DAYS)) for day in range(1, DAYS, 30)), (1, DAYS)]:
        with_tpr, with_tnr = year.rates(first, last, recalibrated=True)
        tpr, tnr = year.rates(first, last, recalibrated=False)
        lines.append(f"{f'{first}-{last - 1}':<12}{with_tpr:>18.3f}{tpr:>10.3f}{with_tnr:>18.3f}{tnr:>10.3f}")
    lines += ["", "refused:"]
    for refusal, nights in groupby(year.refusals, key=lambda one: one[1]):
        (first_at, _, reason), *more = nights
        until = f" to {more[-1][0]:%Y-%m-%d}" if more else ""
        lines.append(f"  {first_at:%Y-%m-%d}{until}, {len(more) + 1} nights, {refusal}: {reason}")
    lines += ["", "set aside:", *(f"  {at:%Y-%m-%d}: {sentence}" for sentence, at in year.set_aside.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(report(simulate(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 0)))
