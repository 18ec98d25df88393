"""The cast file is followed, by a clock of the test's own, on both databases."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.daemon import cast_follower
from monitor.daemon.cast_follower import PATIENCE, CastFollower
from monitor.errors import DataError
from monitor.formulas.casts import believed
from monitor.store import casts

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.alarms.cast_file import CastFile
    from monitor.formulas.casts import Context
    from monitor.store.database.engine import Database

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAXIMUM = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Plant:
    """A cast file that a test writes, and its follower."""

    def __init__(self, folder: Path, database: Database) -> None:
        (folder / "config.toml").write_text(
            f'[alarms.cast]\nfile = "cast.toml"\nmaximum_age_seconds = {MAXIMUM.total_seconds()}\n'
        )
        self.configuration = load(folder / "config.toml")
        self.database = database
        self.file = folder / "cast.toml"
        self.now = START
        self.restart()

    def restart(self) -> None:
        self.follower = CastFollower(self.configuration, self.database)

    def write(self, text: str) -> None:
        self.file.write_text(text)
        os.utime(self.file, (self.now.timestamp(), self.now.timestamp()))

    def look(self, later: timedelta = SECOND) -> Context:
        """What is believed after a look that much later."""
        self.now += later
        self.follower.look(self.now)
        with self.database.read() as connection:
            said = casts.newest(connection)
        return believed(said, self.now, maximum_age=MAXIMUM, followed=True)

    def casts(self) -> list[tuple[str, str | None, bool]]:
        with self.database.read() as connection:
            return [(row.number, row.alloy, row.ended_at is None) for row in casts.listed(connection, None)]


@pytest.fixture
def plant(tmp_path: Path, either_store: Database) -> Plant:
    return Plant(tmp_path, either_store)


def test_casts_and_phases_follow_the_file(plant: Plant) -> None:
    plant.write('phase = "idle"')
    assert plant.look().idle
    plant.write('number = 1\nphase = "start"')
    assert plant.look()[:2] == (1, "start")
    plant.write('number = 1\nalloy = "6063"\nphase = "steady"')
    assert plant.look()[:2] == (1, "steady")
    assert plant.look()[:2] == (1, "steady")
    with plant.database.read() as connection:
        assert [one.phase for one in casts.phases_of(connection, 1)] == ["start", "steady"]
    plant.write('number = 2\nphase = "steady"')
    assert plant.look()[:2] == (2, "steady")
    assert plant.casts() == [("2", None, True), ("1", "6063", False)]
    plant.write('phase = "idle"')
    assert plant.look() == (None, "idle", None)
    assert plant.casts() == [("2", None, False), ("1", "6063", False)]


@pytest.mark.parametrize("wrong", ['number = 1\nphase = "ste', 'number = 1\nphase = "casting"', None])
def test_a_file_that_is_wrong_for_a_moment_changes_nothing_and_then_the_last_phase_holds(
    plant: Plant, wrong: str | None
) -> None:
    plant.write('number = 1\nphase = "steady"')
    plant.look()
    if wrong is None:
        plant.file.unlink()
    else:
        plant.write(wrong)
    assert plant.look().problem is None
    context = plant.look(PATIENCE)
    assert context[:2] == (1, "steady")
    assert str(plant.file) in (context.problem or "")
    # Repeated looks add no rows.
    plant.look()
    with plant.database.read() as connection:
        assert len(casts.phases_of(connection, 1)) == 2
    if wrong is not None:
        os.utime(plant.file, (plant.now.timestamp(), plant.now.timestamp()))
    context = plant.look(MAXIMUM)
    assert context[:2] == (None, None)
    assert context.problem
    plant.write('number = 1\nphase = "end"')
    assert plant.look() == (1, "end", None)
    assert plant.casts() == [("1", None, True)]


def test_idle_is_believed_only_while_the_file_says_so(plant: Plant) -> None:
    plant.write('number = 1\nphase = "idle"')
    assert plant.look().idle
    plant.file.unlink()
    assert plant.look().idle
    context = plant.look(PATIENCE)
    assert (context.cast_id, context.idle) == (1, False)
    plant.write('number = 1\nphase = "idle"')
    assert plant.look().idle


@pytest.mark.parametrize("side", [1, -1])
def test_a_file_that_is_too_old_or_dated_ahead_is_not_believed(plant: Plant, side: int) -> None:
    plant.write('number = 1\nphase = "idle"')
    far = (plant.now + side * (MAXIMUM + 2 * SECOND)).timestamp()
    os.utime(plant.file, (far, far))
    context = plant.look()
    assert context[:2] == (None, None)
    assert "further from now than alarms.cast.maximum_age_seconds" in (context.problem or "")
    # Having it written again is enough.
    plant.write('number = 1\nphase = "idle"')
    assert plant.look().idle


def test_after_a_restart_without_a_file_the_last_phase_holds_as_long_as_it_is_not_too_old(plant: Plant) -> None:
    plant.write('number = 1\nphase = "steady"')
    plant.look()
    plant.file.unlink()
    plant.restart()
    plant.look()
    assert plant.look(PATIENCE)[:2] == (1, "steady")
    plant.restart()
    plant.look(MAXIMUM)
    assert plant.look(PATIENCE)[:2] == (None, None)


def test_where_there_never_was_a_file_nothing_is_believed(plant: Plant) -> None:
    plant.look()
    context = plant.look(PATIENCE)
    assert context[:2] == (None, None)
    assert "is missing" in (context.problem or "")


def test_it_is_up_to_date_only_after_a_look(plant: Plant) -> None:
    plant.write('number = 1\nphase = "steady"')
    assert not plant.follower.is_up_to_date()
    plant.follower._try()
    assert plant.follower.is_up_to_date()


def test_what_the_file_says_holds_when_the_start_is_over(plant: Plant) -> None:
    plant.write('number = 1\nphase = "idle"')
    os.utime(plant.file)
    plant.follower.start()
    plant.follower.stop()
    assert plant.follower.is_up_to_date()
    assert plant.casts() == [("1", None, True)]


def test_the_start_waits_for_no_share_that_does_not_answer(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()

    def read(_: Path) -> CastFile:
        answers.wait()
        raise DataError("it is over")

    monkeypatch.setattr(cast_follower, "read_cast_file", read)
    monkeypatch.setattr(cast_follower, "FIRST_LOOK_SECONDS", 0.01)
    plant.follower.start()
    assert not plant.follower.is_up_to_date()
    answers.set()
    plant.follower.stop()
