"""The nightly run under the daemon as a real process."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Calibration, Settings
from monitor.daemon.jobs import REFRESH_SECONDS, Jobs
from monitor.harness.waiting import PATIENCE_SECONDS, wait_until
from monitor.metrics import Metrics
from monitor.registry import Registry
from monitor.store import calibrations, models
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import ChangeRequest
from tests.support.made_up import NOW, MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon

ACTIVE = "select threshold, origin, run_id is not null from calibrations where state = 'active'"
DONE = 'monitor_scheduled_runs_total{outcome="done",task="nightly"}'
OLD = "2026-01-01 03:00:00.000000"


@pytest.fixture
def overdue(daemon: Daemon, small_dataset: Path) -> Daemon:
    """A daemon whose last night was long ago, with labelled crops that it has not seen."""
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.execute(
            "insert into runs (job, slot, started_at, finished_at, outcome) values ('recalibrate', ?, ?, ?, 'old')",
            (OLD, OLD, OLD),
        )
    for label in ("proliv", "ne_proliv"):
        shutil.copytree(small_dataset / "test" / label, daemon.labelled / label)
    daemon.environment |= {
        "MONITOR__CALIBRATION__MINIMUM_NORMAL": "5",
        "MONITOR__CALIBRATION__LARGEST_JUMP": "1000",
        "MONITOR__CALIBRATION__TPR_TOLERANCE": "1",
        "MONITOR__CALIBRATION__TNR_TOLERANCE": "1",
        "MONITOR__CALIBRATION__FLOOD_LABELS": "1000",
        "MONITOR__CALIBRATION__MOST_PROLIV_LOST": "1",
        "MONITOR__CALIBRATION__ONE_ACTION_LABELS": "1000",
    }
    return daemon


def test_a_missed_night_is_caught_up_once_and_its_threshold_is_used(overdue: Daemon) -> None:
    ((before, _, _),) = overdue.query(ACTIVE)
    overdue.start()
    overdue.until(lambda: overdue.query(ACTIVE)[0][1] == "nightly")
    ((threshold, _, by_run),) = overdue.query(ACTIVE)
    assert threshold != before
    assert by_run
    overdue.until(lambda: overdue.metrics().get('monitor_threshold{detector="ae"}') == threshold)
    overdue.until(lambda: overdue.metrics().get(DONE) == 1)
    name = 'monitor_calibrations_total{detector="ae",outcome="activated",reason=""}'
    assert overdue.metrics()[name] == 1
    overdue.until(lambda: overdue.query("select outcome from runs where slot > ?", OLD) == [("1 activated",)])
    assert overdue.stop() == 0
    overdue.start()
    overdue.until(lambda: "monitor_threshold_timestamp_seconds" in str(overdue.metrics()))
    assert overdue.query("select count(*) from runs where slot > ?", OLD) == [(1,)]
    assert overdue.query("select count(*) from calibrations where origin = 'nightly'") == [(1,)]


def test_a_locked_database_at_night_is_waited_for(overdue: Daemon) -> None:
    overdue.environment["MONITOR__DATABASE__BUSY_SECONDS"] = "0.2"
    with closing(sqlite3.connect(overdue.database, isolation_level=None)) as other:
        overdue.start(ready=False)
        other.execute("begin immediate")
        overdue.until(lambda: "run waits: " in overdue.text() or "run of " in overdue.text())
        other.execute("rollback")
    overdue.until(lambda: overdue.query("select finished_at is not null from runs where slot > ?", OLD) == [(1,)])
    assert overdue.query(ACTIVE)[0][1] == "nightly"


def test_a_refusal_at_night_is_logged_counted_and_changes_nothing(overdue: Daemon) -> None:
    overdue.environment["MONITOR__CALIBRATION__MINIMUM_NORMAL"] = "100000"
    before = overdue.query(ACTIVE)
    overdue.start()
    name = 'monitor_calibrations_total{detector="ae",outcome="refused",reason="too_few_normal"}'
    overdue.until(lambda: overdue.metrics().get(name) == 1)
    assert overdue.query(ACTIVE) == before
    assert "are fewer than calibration.minimum_normal 100000" in overdue.text()
    # The run ends after its last change was counted.
    outcome = [("1 refused (too_few_normal)",)]
    overdue.until(lambda: overdue.query("select outcome from runs where slot > ?", OLD) == outcome)


def test_without_nightly_nothing_is_chosen(overdue: Daemon) -> None:
    overdue.environment["MONITOR__CALIBRATION__NIGHTLY"] = "false"
    overdue.start()
    overdue.until(lambda: "monitor_threshold_timestamp_seconds" in str(overdue.metrics()))
    assert overdue.query("select count(*) from runs where slot > ?", OLD) == [(0,)]


class Following:
    """The store's calibrations as `Jobs.follow` sees them, and what the daemon uses."""

    def __init__(self, made: MadeUp) -> None:
        self.in_use: tuple[int, ...] = (1,)
        self.reloads = 0
        configuration = Configuration(settings=Settings(), file=None)
        self.jobs = Jobs(
            configuration, made.database, Registry.load(), Metrics(), in_use=lambda: self.in_use, reload=self._reload
        )

    def _reload(self) -> None:
        self.reloads += 1


def test_a_change_in_the_store_is_followed_and_asked_for_again_where_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made_up(tmp_path) as made:
        made.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 10, [4.0] * 10)
        following = Following(made)
        following.jobs.follow()
        assert following.reloads == 0
        recalibrate(
            made.database,
            midpoint(Calibration(minimum_proliv=1, minimum_normal=1)),
            ChangeRequest(NOW, "recalibrate", accept=True),
        )
        for _ in range(3):
            following.jobs.follow()
        assert following.reloads == 1
        moment = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: moment + REFRESH_SECONDS + 1)
        following.jobs.follow()
        assert following.reloads == 2
        following.in_use = (2,)
        following.jobs.follow()
        assert following.reloads == 2


def test_another_primary_is_a_change(tmp_path: Path) -> None:
    with made_up(tmp_path) as made:
        made.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 10, [4.0] * 10)
        with made.database.write() as connection:
            models.add_model(
                connection, name="other-1", detector="other", fingerprint="e" * 64, folder="o", settings={}
            )
            row = models.find_model(connection, "other-1")
            calibrations.add(connection, model_id=row.id, rule="r", settings={}, threshold=2.0, evidence={}, now=NOW)
            models.activate_model(connection, models.find_model(connection, "other-1"))
        following = Following(made)
        following.in_use = (2, 1)
        following.jobs.follow()
        assert following.reloads == 0
        with made.database.write() as connection:
            models.activate_model(connection, models.find_model(connection, "made-up-1"))
        following.jobs.follow()
        assert following.reloads == 1


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Jobs]:
    """The daemon's background jobs, running."""
    with made_up(tmp_path) as made:
        made.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 10, [4.0] * 10)
        jobs = Following(made).jobs
        yield jobs
        jobs.stop()


def shown(jobs: Jobs, name: str) -> float | None:
    """The value of a series without labels."""
    return jobs._metrics.registry.get_sample_value(name)


def test_whoever_asks_for_figures_does_not_wait_for_a_long_night(
    background: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, dawn = Event(), Event()

    def look() -> None:
        night.set()
        dawn.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(background, "run_nightly", look)
    background.start()
    assert night.wait(PATIENCE_SECONDS)
    # The daemon's main thread, which has to answer signals and systemd's watchdog meanwhile.
    asking = Thread(target=background.refresh_now, daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS / 4)
    assert not asking.is_alive()
    assert not shown(background, "monitor_database_size_bytes")
    dawn.set()
    wait_until(lambda: bool(shown(background, "monitor_database_size_bytes")))


def test_jobs_go_on_when_the_clock_is_put_back(background: Jobs) -> None:
    background.start()
    wait_until(lambda: bool(shown(background, "monitor_database_size_bytes")))
    background._metrics.database_size.set(0)
    # To the scheduler a clock that was put back by a day looks as if everything were due a day later.
    for job in background._scheduler.get_jobs():
        job.modify(next_run_time=datetime.now(UTC) + timedelta(days=1))
    background.follow_clock()
    assert all(job.next_run_time > datetime.now(UTC) + timedelta(hours=1) for job in background._scheduler.get_jobs())
    background._clock_ahead += timedelta(days=1).total_seconds()
    background.follow_clock()
    wait_until(lambda: bool(shown(background, "monitor_database_size_bytes")))


def test_a_job_that_fails_by_a_defect_is_told_of_and_the_others_go_on(
    background: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def restore() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(background, "restore", restore)
    background.start()
    wait_until(lambda: bool(shown(background, "monitor_database_size_bytes")))
    assert "ZeroDivisionError" in caplog.text
