from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.daemon.schedule import LEASE, DailyJob, newest_slot
from monitor.errors import DataError
from monitor.store import runs
from monitor.store.database.engine import Database
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'monitor.db'}"
    new_store: Callable[[], str] = request.getfixturevalue("new_postgresql_store")
    return new_store()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url, busy_seconds=0.1)
    upgrade(opened)
    yield opened
    opened.close()


def job(database: Database, run: Callable[[int, datetime], str] = lambda _run, _now: "done") -> DailyJob:
    return DailyJob(database, "job", at="03:00", time_zone=BERLIN, run=run)


def known(database: Database) -> list[tuple[datetime, str | None]]:
    with database.read() as connection:
        return [(row.slot, row.outcome) for row in runs.newest_runs(connection, "job", 100)][::-1]


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-03-01T12:00", "2026-03-01T02:00"),
        ("2026-03-01T02:00", "2026-03-01T02:00"),
        ("2026-03-01T01:59", "2026-02-28T02:00"),
        ("2026-07-01T12:00", "2026-07-01T01:00"),  # summer time
    ],
)
def test_a_slot_is_a_time_of_the_plants_day(now: str, slot: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert newest_slot("03:00", BERLIN, moment) == datetime.fromisoformat(slot).replace(tzinfo=UTC)


def test_its_slot_is_told_on_the_plants_clock(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    begun = job(database)
    begun.begin(NOON)
    with caplog.at_level(logging.INFO):
        assert begun.tick(NOON + timedelta(days=1)) == "done"
    assert "the job run of 2026-03-02 03:00:00+01:00: done" in caplog.messages


@pytest.mark.process
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("at", ["00:00", "01:30", "02:00", "02:15", "02:30", "03:00", "23:59"])
def test_every_day_has_one_slot_whatever_the_clocks_do(zone: str, at: str) -> None:
    now, found = datetime(2026, 1, 1, tzinfo=UTC), set()
    while now < datetime(2027, 1, 1, tzinfo=UTC):
        found.add(newest_slot(at, ZoneInfo(zone), now))
        now += timedelta(minutes=10)
    days = sorted(slot.astimezone(ZoneInfo(zone)).date() for slot in found)
    assert days == [days[0] + timedelta(days=index) for index in range(len(days))]
    assert len(days) in (365, 366)


@given(st.integers(0, 40 * 365 * 86_400), st.times())
def test_the_newest_slot_is_past_and_not_older_than_a_day_and_a_change_of_clocks(seconds: int, at: object) -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    slot = newest_slot(f"{at:%H:%M}", BERLIN, moment)
    assert slot <= moment
    assert moment - slot <= timedelta(hours=25)


def test_a_job_that_never_ran_waits_for_its_next_slot(database: Database) -> None:
    one = job(database)
    one.begin(NOON)
    assert one.tick(NOON) is None
    assert known(database) == [(datetime(2026, 3, 1, 2, tzinfo=UTC), "before the first start")]
    assert one.tick(NOON + timedelta(days=1)) == "done"


def test_after_a_week_of_downtime_it_is_caught_up_once(database: Database) -> None:
    job(database).begin(NOON)
    later = job(database)
    later.begin(NOON + timedelta(days=7))
    moments = [NOON + timedelta(days=7, minutes=minutes) for minutes in range(5)]
    assert [later.tick(moment) for moment in moments] == ["done", None, None, None, None]
    assert len(known(database)) == 2


def test_a_clock_that_jumps_back_finds_its_slots_done(database: Database) -> None:
    ran: list[datetime] = []

    def run(_run: int, now: datetime) -> str:
        ran.append(now)
        return "done"

    one = job(database, run)
    one.begin(NOON)
    for days in (1, 0, 1, -3, 1, 2, 1):
        one.tick(NOON + timedelta(days=days))
    assert ran == [NOON + timedelta(days=1), NOON + timedelta(days=2)]


def test_a_clock_that_ran_a_year_ahead_once_does_not_stop_the_nights(database: Database) -> None:
    one = job(database)
    one.begin(NOON)
    assert one.tick(NOON + timedelta(days=365)) == "done"
    assert one.tick(NOON + timedelta(days=1)) == "done"


def test_another_time_of_day_does_not_run_yesterday_again(database: Database) -> None:
    job(database).begin(NOON)
    later = DailyJob(database, "job", at="20:00", time_zone=BERLIN, run=lambda _run, _now: "done")
    assert later.tick(NOON) is None
    assert later.tick(NOON + timedelta(hours=12)) == "done"


def test_of_two_programs_at_the_same_moment_one_runs_a_slot(database: Database, url: str) -> None:
    job(database).begin(NOON)
    count = 8
    barrier, ran = Barrier(count), []

    def race() -> None:
        mine = Database(url, busy_seconds=10)
        one = job(mine, lambda run_id, _now: ran.append(run_id) or "done")  # type: ignore[func-returns-value]
        barrier.wait()
        one.tick(NOON + timedelta(days=1))
        mine.close()

    threads = [Thread(target=race) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ran) == 1


def test_a_run_that_died_is_taken_up_by_another_after_its_lease(database: Database) -> None:
    class Killed(BaseException):
        pass

    def die(_run: int, _now: datetime) -> str:
        raise Killed

    job(database).begin(NOON)
    moment = NOON + timedelta(days=1)
    with pytest.raises(Killed):
        job(database, die).tick(moment)
    other = job(database)
    assert other.tick(moment + LEASE - timedelta(seconds=1)) is None
    assert other.tick(moment + LEASE) == "done"
    assert other.tick(moment + LEASE) is None


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_locked_database_puts_a_run_off(database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = job(database)
    one.begin(NOON)
    moment = NOON + timedelta(days=1)
    with closing(sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert one.tick(moment) is None
        other.execute("ROLLBACK")
    assert "waits: " in caplog.text
    assert "locked by another program" in caplog.text
    assert one.tick(moment + timedelta(seconds=20)) == "done"


def test_what_fails_is_recorded_and_not_tried_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = [DataError("the labels are odd"), ZeroDivisionError()]

    def fail(_run: int, _now: datetime) -> str:
        raise failures.pop(0)

    one = job(database, fail)
    one.begin(NOON)
    assert one.tick(NOON + timedelta(days=1)) == "failed: the labels are odd"
    assert one.tick(NOON + timedelta(days=1)) is None
    with caplog.at_level(logging.ERROR):
        assert one.tick(NOON + timedelta(days=2)) == "failed by a defect; the log has the traceback"
    assert "ZeroDivisionError" in caplog.text
    assert [outcome for _, outcome in known(database)][1:] == [
        "failed: the labels are odd",
        "failed by a defect; the log has the traceback",
    ]


def test_the_skipped_hour_is_taken_an_hour_later_and_the_repeated_one_the_first_time() -> None:
    spring = newest_slot("02:30", BERLIN, datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert spring.astimezone(BERLIN).date() == date(2026, 3, 29)
    assert f"{spring.astimezone(BERLIN):%H:%M}" == "03:30"
    autumn = newest_slot("02:30", BERLIN, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
