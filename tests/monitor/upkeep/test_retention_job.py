"""When the daemon and the command delete old decisions: clocks, bounds and batches."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.file import load
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.daemon.jobs import Jobs
from monitor.errors import AlreadyRunningError, ConfigurationError
from monitor.metrics import Metrics
from monitor.registry import Registry
from monitor.store.database.engine import Database
from monitor.upkeep import retention
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, MadeUp
from tests.support.old_decisions import DAY, OLD, present

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon


@pytest.mark.parametrize(("clock", "gone"), [(NOW + 9999 * DAY, 1), (NOW - 20 * DAY, 0)])
def test_a_clock_that_runs_ahead_deletes_nothing_more(
    sqlite_store: MadeUp, configuration: Configuration, clock: datetime, gone: int
) -> None:
    """How old crops are is told from the newest; a line that stands keeps what it has."""
    for days in (40, 29, 1):
        sqlite_store.crop(0.1, at=NOW - days * DAY)
    sqlite_store.crop(0.1, at=NOW)
    assert prune(sqlite_store.database, configuration, 30, clock).crops == gone


def test_a_line_that_stands_keeps_what_it_has_though_crops_are_scored_or_labelled_by_hand(
    store: MadeUp, configuration: Configuration
) -> None:
    kept = [store.crop(0.1, at=OLD - days * DAY) for days in (20, 10, 0)]
    kept += [store.crop(0.1, source=source) for source in ("folder", "labelled")]
    assert prune(store.database, configuration, 30, NOW).crops == 0
    assert sorted(present(store)) == kept
    kept.append(store.crop(0.1))
    assert prune(store.database, configuration, 30, NOW).crops == 3


@pytest.mark.parametrize(
    ("changes", "days", "names"),
    [
        ({}, 29, "calibration.half_life_days looks back 30 days|quality.window_days looks back 30 days"),
        ({"quality": {"window_days": [90.0]}}, 89, "quality.window_days looks back 90 days"),
        ({"quality": {"window_days": [1.0]}, "calibration": {"half_life_days": 1.0}}, 7.9, "completeness.learn_days"),
        ({"calibration": {"shadow": True, "shadow_days": 200.0}}, 100, "calibration.shadow_days looks back 200 days"),
        ({"calibration": {"half_life_days": 0.0}}, 10_000, "calibration.half_life_days is 0"),
    ],
)
def test_a_time_that_something_looks_back_beyond_is_refused(
    tmp_path: Path, changes: dict[str, Any], days: float, names: str
) -> None:
    settings = Settings(**changes)
    with pytest.raises(ConfigurationError, match=f"--keep-days: .*({names})"):
        retention.refuse_shorter(Configuration(settings=settings, file=None), days, "--keep-days")
    file = tmp_path / "config.toml"
    lines = [
        f"[{section}]\n{key} = {str(value).lower()}" for section, keys in changes.items() for key, value in keys.items()
    ]
    merged: dict[str, list[str]] = {}
    for line in lines:
        section, key = line.split("\n")
        merged.setdefault(section, []).append(key)
    text = "\n".join("\n".join([section, *keys]) for section, keys in merged.items())
    file.write_text(f"{text}\n[store]\nkeep_days = {days}\n")
    with pytest.raises(ConfigurationError, match=rf"config\.toml:\d+: store.keep_days: .*({names})"):
        load(file)


def test_as_many_days_as_are_looked_back_are_enough() -> None:
    assert Settings().keeps_too_short(30) is None
    assert Settings().keeps_too_short(0) is None


def test_a_clock_that_jumps_ahead_with_crops_and_all_deletes_no_more_than_two_days(
    sqlite_store: MadeUp, tmp_path: Path
) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "config.toml").write_text("[store]\nkeep_days = 30\n")
    configuration = load(tmp_path / "config.toml")
    for day in range(40):
        sqlite_store.crop(0.1, at=NOW - day * DAY)
    jumped = NOW + 700 * DAY
    sqlite_store.crop(0.1, at=jumped)
    database, registry = sqlite_store.database, Registry.load()
    jobs = Jobs(configuration, database, registry, Metrics(), in_use=tuple, reload=lambda: None)
    job = jobs._retention
    job.begin(NOW)
    # The clock is right, wrong, and right again.
    pruned = [job.tick(now) for now in (NOW + DAY, jumped, NOW + 2 * DAY)]
    assert [deleted(outcome) for outcome in pruned] == [10, 2, 0]
    # Wrong once more, and the next day as well: or else the plant stood still for two years.
    later = jumped + 10 * DAY
    sqlite_store.crop(0.1, at=later + DAY)
    pruned = [job.tick(now) for now in (NOW + 3 * DAY, later, later + DAY)]
    assert [deleted(outcome) for outcome in pruned] == [0, 2, 26]


def deleted(outcome: str | None) -> int:
    assert outcome is not None
    return int(outcome.split()[0])


def fill(file: Path, count: int, at: str = "2026-01-01 00:00:00.000000") -> None:
    """Old decisions, past the program."""
    with closing(sqlite3.connect(file)) as connection, connection:
        rows = [
            (f"/gone/{number}.jpg", hashlib.sha256(b"%d" % number).hexdigest(), at, "ne_proliv")
            for number in range(count)
        ]
        connection.executemany(
            "insert into crops (path, sha256, size_bytes, mtime_ns, seen_at, state, verdict, decision_score, "
            "decision_threshold, decided_by, source) values (?, ?, 1, 1, ?, 'scored', ?, 0.1, 0.5, 'primary', 'inbox')",
            rows,
        )
        connection.execute(
            "insert into scores select crops.id, models.id, calibrations.id, 0.1, 0.1, 0.5, 'ne_proliv', seen_at, 0 "
            "from crops, models, calibrations where crops.path like '/gone/%' and calibrations.state = 'active'"
        )


def test_the_daemon_prunes_once_a_day(daemon: Daemon) -> None:
    fill(daemon.database, 1200)
    fill_now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.execute("update crops set seen_at = ? where path = '/gone/0.jpg'", (fill_now,))
        old = f"{datetime.now(UTC) - DAY:%Y-%m-%d %H:%M:%S}.000000"
        connection.execute(
            "insert into runs (job, slot, started_at, finished_at, outcome) values ('retention', ?, ?, ?, 'old')",
            (old, old, old),
        )
    daemon.environment["MONITOR__STORE__KEEP_DAYS"] = "60"
    daemon.start()
    daemon.until(lambda: daemon.count() <= 2)
    name = 'monitor_scheduled_runs_total{outcome="done",task="retention"}'
    daemon.until(lambda: daemon.metrics().get(name) == 1)
    # The youngest crop, and the one with the highest number.
    assert daemon.count() == 2
    assert daemon.metrics()["monitor_pruned_crops_total"] == 1198
    assert daemon.query("select outcome from runs where job = 'retention' order by slot desc")[0][0].startswith(
        "1198 crops"
    )
    assert daemon.stop() == 0


def test_decisions_go_on_while_old_ones_are_deleted(daemon: Daemon, small_dataset: Path) -> None:
    fill(daemon.database, 6000)
    pictures = sorted((small_dataset / "train").glob("*.jpg"))
    daemon.inbox.mkdir()
    daemon.start()
    daemon.inbox.joinpath("first.jpg").write_bytes(pictures[0].read_bytes())
    daemon.until(lambda: daemon.count("path not like '/gone/%'") == 1)
    pruning = subprocess.Popen(
        [sys.executable, "-m", "monitor", "db", "prune", "--keep-days", "60"],
        cwd=daemon.home, env=daemon.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for path in pictures[1:120]:
        daemon.inbox.joinpath(path.name).write_bytes(path.read_bytes())
        time.sleep(0.01)
    output, _ = pruning.communicate(timeout=100)
    assert pruning.returncode == 0, output
    assert output.startswith("6000 crops, ")
    daemon.until(lambda: daemon.count("path not like '/gone/%'") == 120)
    assert daemon.count() == 120
    assert daemon.metrics()["monitor_store_failures_total"] == 0
    assert daemon.stop() == 0


def test_the_command_says_what_it_does(daemon: Daemon, run_monitor: RunMonitor) -> None:
    fill(daemon.database, 3000)
    daemon.inbox.mkdir()
    none = run_monitor("db", "prune")
    assert (none.returncode, none.stderr.splitlines()[-1]) == (
        2, "Error: store.keep_days is 0, so everything is kept; give --keep-days DAYS",
    )  # fmt: skip
    short = run_monitor("db", "prune", "--keep-days", "3")
    assert (short.returncode, short.stderr[:38]) == (78, "monitor: --keep-days: 3 days are too f")
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.execute(
            "update crops set seen_at = ? where path = '/gone/7.jpg'",
            (f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.000000}",),
        )
    dry = run_monitor("db", "prune", "--keep-days", "60", "--dry-run")
    assert dry.stdout.startswith("nothing is deleted yet; it would be: 2998 crops, ")
    assert daemon.count() == 3000
    size = daemon.database.stat().st_size
    pruned = run_monitor("db", "prune", "--keep-days", "60", "--vacuum")
    assert pruned.returncode == 0, pruned.stderr
    assert daemon.count() == 2
    assert daemon.database.stat().st_size < size / 2
    assert run_monitor("db", "check").returncode in (0, 65)


def test_a_running_daemons_database_is_not_written_anew(sqlite_store: MadeUp) -> None:
    from monitor.store.database.lock import only_daemon

    assert sqlite_store.database.file is not None
    other = Database(f"sqlite:///{sqlite_store.database.file}", busy_seconds=1)
    with only_daemon(other), pytest.raises(AlreadyRunningError, match="stop it"):
        retention.vacuum(sqlite_store.database)
    other.close()
