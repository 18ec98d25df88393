"""Old decisions go, and what is computed from those that stay is the same as before."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, update

from monitor.configuration.file import load
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Calibration, Settings
from monitor.daemon.jobs import Jobs
from monitor.errors import AlreadyRunningError, ConfigurationError, InputMissingError
from monitor.labels import audits, labels
from monitor.metrics import Metrics
from monitor.quality.drift.drift import drift_of_model
from monitor.quality.operation import Window, last_days, quality_in_operation
from monitor.registry import Registry
from monitor.store import replay, summaries
from monitor.store import retention as store_retention
from monitor.store.database.engine import Database
from monitor.store.database.schema import (
    alarm_crops,
    alarms,
    audit_crops,
    crops,
    labelled_files,
    score_summaries,
    scores,
)
from monitor.thresholds.gather import gather_evidence
from monitor.upkeep import retention
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon

RULES = midpoint(Calibration(minimum_proliv=1, minimum_normal=1))
DAY = timedelta(days=1)
OLD = NOW - 40 * DAY


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    new: Callable[[], str] | None = None
    if request.param == "postgresql":
        new = request.getfixturevalue("new_postgresql_database")
    with made_up(new() if new else tmp_path) as made:
        made.calibrate(RULES, [0.1, 0.2, 0.3], [1.0, 1.1, 1.2], at=OLD - 30 * DAY)
        yield made


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "config.toml"
    file.write_text("[paths]\narchive = 'archive'\n[calibration]\nminimum_proliv = 1\nminimum_normal = 1\n")
    return load(file)


def present(store: MadeUp) -> dict[int, bool]:
    """Which crops there are, and whether they have a score."""
    with store.database.read() as connection:
        query = select(crops.c.id, func.count(scores.c.model_id)).outerjoin(scores, scores.c.crop_id == crops.c.id)
        return {key: bool(count) for key, count in connection.execute(query.group_by(crops.c.id))}


def change(store: MadeUp, crop: int, **values: Any) -> None:
    with store.database.write() as connection:
        connection.execute(update(crops).where(crops.c.id == crop).values(**values))


def test_old_crops_go_but_what_others_need_stays(store: MadeUp, configuration: Configuration) -> None:
    gone, labelled, alarm = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD), store.crop(9.0, at=OLD)
    store.label(labelled, "proliv")
    same = store.crop(0.1, at=OLD, content=f"{labelled:064d}")
    repeated = store.crop(0.1, at=OLD)
    copied = store.crop(0.1, at=OLD)
    failed = store.crop(0.1, at=OLD)
    unreadable = [store.crop(0.1, at=OLD, content="") for _ in range(2)]
    drawn, drawn_labelled = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.draw([drawn, drawn_labelled], 9)
    store.label(drawn_labelled, "ne_proliv")
    young, again = store.crop(0.1), store.crop(0.1, content=f"{repeated:064d}")
    unreadable_today = store.crop(0.1, content="")
    newest = store.crop(0.1, at=OLD)
    for crop in (failed, *unreadable, unreadable_today):
        change(store, crop, state="failed", reason="truncated", verdict=None)
    file = {"label": "proliv", "size_bytes": 1, "mtime_ns": 1, "seen_at": NOW}
    with store.database.write() as connection:
        connection.execute(
            insert(labelled_files), {**file, "path": "/l/1.jpg", "sha256": f"{copied:064d}", "crop_id": copied}
        )
    counted: list[int] = []
    done = prune(store.database, configuration, 30, NOW, count=counted.append)
    with_scores = [labelled, same, repeated, copied, drawn_labelled, young, again, unreadable_today, newest]
    assert present(store) == {alarm: False, **dict.fromkeys(with_scores, True)}
    assert (done.crops, done.alarms, sum(counted)) == (5, 1, 5)
    assert not {gone, failed, drawn, *unreadable} & present(store).keys()
    with store.database.read() as connection:
        assert list(connection.execute(select(audit_crops.c.crop_id)).scalars()) == [drawn_labelled]
    # Once more, there is nothing left to do.
    again_done = prune(store.database, configuration, 30, NOW)
    assert (again_done.crops, again_done.alarms) == (0, 0)


def season(store: MadeUp) -> None:
    """Seventy days of crops: alarms, unusual ones, audits, labels, contents that come again, hourly summaries."""
    chance = random.Random(7)
    known: list[str] = []
    recent: list[int] = []
    for day in range(70):
        for number in range(12):
            at = NOW - (69 - day) * DAY - timedelta(hours=2 * number + 1)
            content = chance.choice(known) if known and chance.random() < 0.1 else None
            score = 9.0 if chance.random() < 0.2 else chance.uniform(0.05, 0.4)
            unusual = 0.3 < score < 1
            crop = store.crop(score, at=at, content=content, hole=chance.randrange(3), unusual=unusual)
            known.append(content or f"{crop:064d}")
            recent.append(crop)
            if chance.random() < 0.1:
                store.label(crop, chance.choice(["proliv", "ne_proliv"]), at=at + timedelta(hours=1))
        if day % 10 == 9:
            with store.database.write() as connection:
                draw = audits.draw(connection, 12, author="ann", seed=day)
            assert draw is not None
            for one in draw.crops[::2]:
                store.label(one.id, chance.choice(["proliv", "ne_proliv", "ne_proliv"]), at=NOW)
    with store.database.write() as connection:
        rows = [
            {
                "model_id": store.model.id, "hour": summaries.hour_of(NOW) - timedelta(hours=hour), "camera": camera,
                "hole": hole, "crops": 30, "proliv": 1, "quantiles": sorted(chance.uniform(0, 1) for _ in range(21)),
            }
            for hour in range(1, 70 * 24, 5)
            for camera, hole in (("*", -1), ("C", 0), ("C", 1), ("", -1))
        ]  # fmt: skip
        connection.execute(insert(score_summaries), rows)


@pytest.mark.process
def test_nothing_that_is_computed_changes(store: MadeUp, configuration: Configuration) -> None:
    """Of any span: TPR and TNR, also by hole; what thresholds are chosen from; audits; drift; a threshold's replay."""
    season(store)

    def computed() -> dict[str, Any]:
        settings = configuration.settings
        windows = [last_days(days, NOW) for days in (1.0, 7.0, 30.0, 60.0, 100.0)]
        windows += [Window(f"old{day}", NOW - day * DAY, NOW - (day - 13) * DAY) for day in (70, 55, 42)]
        with store.database.read() as connection:
            measured = quality_in_operation(
                connection, windows, [store.model], event_gap_seconds=settings.calibration.event_gap_seconds, by="hole"
            )
            gathered = gather_evidence(connection, store.model.id, settings.calibration, now=NOW)
            since = replay.Span(since=NOW - 30 * DAY)
            return {
                "rates": [one.rates for one in measured],
                "coverage": [(one.coverage, one.alarms, one.audited, one.incidents) for one in measured],
                # How many were drawn is shown of windows that are kept; what counts is how many of them are labelled.
                "drawn": [one.drawn for one in measured[:3]],
                "normal": gathered.scores.normal.tolist(),
                "proliv": gathered.scores.proliv.tolist(),
                "normal_weights": gathered.scores.normal_weights.tolist(),
                "proliv_weights": gathered.scores.proliv_weights.tolist(),
                "crops_per_week": gathered.scores.crops_per_week,
                "items": gathered.items,
                "labelled": labels.read(connection).crops,
                "drift": drift_of_model(connection, store.model, settings.drift, NOW).as_dict(),
                "all together": [
                    one
                    for one in summaries.summaries_between(connection, store.model.id, NOW - 99 * DAY, NOW)
                    if one.camera == "*"
                ],
                "replay": replay.replay(connection, store.model.id, 0.2, since),
            }

    before = computed()
    done = prune(store.database, configuration, 31, NOW)
    assert done.crops > 200
    assert done.alarms > 50
    assert done.summaries > 300
    assert {name: value for name, value in computed().items() if value != before[name]} == {}


def test_summaries_of_holes_go_but_for_the_baseline_of_drift(store: MadeUp, configuration: Configuration) -> None:
    store.crop(0.1)
    season_start = NOW - 60 * DAY
    with store.database.write() as connection:
        connection.execute(
            insert(score_summaries),
            [
                {"model_id": store.model.id, "hour": season_start + timedelta(hours=hour), "camera": camera,
                 "hole": hole, "crops": 30, "proliv": 0, "quantiles": [0.0] * 21}
                for hour in range(100) for camera, hole in (("*", -1), ("C", 7))
            ],
        )  # fmt: skip
    done = prune(store.database, configuration, 31, NOW)
    with store.database.read() as connection:
        query = select(score_summaries.c.camera, func.count(), func.min(score_summaries.c.hour))
        rows = {row[0]: tuple(row[1:]) for row in connection.execute(query.group_by(score_summaries.c.camera))}
    baseline = configuration.settings.drift.baseline_hours
    assert rows == {"*": (100, season_start), "C": (baseline, season_start)}
    assert done.summaries == 100 - baseline


def test_a_crop_that_is_labelled_at_the_last_moment_stays(
    store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.crop(0.1)
    before = retention._delete_file

    def label(*arguments: Any) -> bool:
        if arguments[1].id == first:
            store.label(first, "proliv")
        return before(*arguments)

    monkeypatch.setattr(retention, "_delete_file", label)
    assert prune(store.database, configuration, 31, NOW).crops == 1
    assert first in present(store)
    assert second not in present(store)


def test_a_crop_that_is_just_being_labelled_is_left_alone(store: MadeUp) -> None:
    if store.database.file is not None:
        pytest.skip("SQLite has one writer at a time")
    held, free = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.crop(0.1)
    with store.database.write() as labelling:
        labelling.execute(select(crops.c.id).where(crops.c.id == held).with_for_update(key_share=True, read=True))
        with store.database.write() as connection:
            assert store_retention.forget(connection, NOW - 30 * DAY, [held, free]) == (1, 0)
    assert held in present(store)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[MadeUp]:
    with made_up(tmp_path) as made:
        made.calibrate(RULES, [0.1, 0.2, 0.3], [1.0, 1.1, 1.2], at=OLD)
        yield made


def archived(store: MadeUp, configuration: Configuration, name: str, at: datetime = OLD) -> tuple[int, Path]:
    assert configuration.archive is not None
    place = configuration.archive / "2026-01-01" / "ne_proliv" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    crop = store.crop(0.1, at=at)
    place.write_bytes(b"%d" % crop)
    change(store, crop, archived_path=str(place), sha256=hashlib.sha256(b"%d" % crop).hexdigest())
    return crop, place


def test_archived_files_go_with_their_crops(sqlite_store: MadeUp, configuration: Configuration) -> None:
    _, first = archived(sqlite_store, configuration, "1.jpg")
    labelled, second = archived(sqlite_store, configuration, "2.jpg")
    sqlite_store.label(labelled, "ne_proliv")
    alarm, third = archived(sqlite_store, configuration, "3.jpg")
    change(sqlite_store, alarm, verdict="proliv")
    young, fourth = archived(sqlite_store, configuration, "4.jpg", at=NOW)
    foreseen = prune(sqlite_store.database, configuration, 30, NOW, dry_run=True)
    assert all(path.exists() for path in (first, second, third, fourth))
    assert prune(sqlite_store.database, configuration, 30, NOW) == foreseen
    assert (foreseen.crops, foreseen.alarms, foreseen.files) == (1, 1, 2)
    assert [path.exists() for path in (first, second, third, fourth)] == [False, True, False, True]
    assert present(sqlite_store) == {labelled: True, alarm: False, young: True}


def test_another_crops_file_at_the_same_place_stays(sqlite_store: MadeUp, configuration: Configuration) -> None:
    """The camera overwrote the first crop before it was moved, with a picture of the same size."""
    _, place = archived(sqlite_store, configuration, "1.jpg")
    second, _ = archived(sqlite_store, configuration, "1.jpg")
    sqlite_store.label(second, "proliv")
    sqlite_store.crop(0.1)
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.files, done.undeleted) == (1, 0, 0)
    assert place.exists()


def test_a_crop_whose_archived_file_cannot_be_deleted_stays(
    sqlite_store: MadeUp, configuration: Configuration, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link in the way, which must not be followed."""
    crop, place = archived(sqlite_store, configuration, "1.jpg")
    sqlite_store.crop(0.1)
    place.parent.rename(tmp_path / "elsewhere")
    place.parent.symlink_to(tmp_path / "elsewhere")
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.undeleted) == (0, 1)
    assert (tmp_path / "elsewhere" / "1.jpg").exists()
    assert crop in present(sqlite_store)
    assert "cannot be deleted" in caplog.text
    place.parent.unlink()
    assert prune(sqlite_store.database, configuration, 30, NOW).crops == 1


def test_a_crop_whose_file_lies_in_the_inbox_stays(sqlite_store: MadeUp, configuration: Configuration) -> None:
    in_inbox, overwritten = sqlite_store.crop(0.1, at=OLD), sqlite_store.crop(0.1, at=OLD)
    newest = sqlite_store.crop(0.1)
    for crop in (in_inbox, overwritten):
        path = configuration.inbox / f"{crop}.jpg"
        path.write_bytes(b"1")
        mtime_ns = path.stat().st_mtime_ns - (crop == overwritten)
        change(sqlite_store, crop, path=str(path), mtime_ns=mtime_ns)
    done = prune(sqlite_store.database, configuration, 30, NOW)
    assert (done.crops, done.in_inbox) == (1, 1)
    assert present(sqlite_store).keys() == {in_inbox, newest}
    assert "1 old crops are kept because their files lie in the inbox" in done.sentence


def test_an_inbox_that_is_not_there_is_refused(sqlite_store: MadeUp, configuration: Configuration) -> None:
    sqlite_store.crop(0.1, at=OLD)
    configuration.inbox.rmdir()
    with pytest.raises(InputMissingError, match="there is no such folder"):
        prune(sqlite_store.database, configuration, 30, NOW)


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


def test_what_was_scored_by_hand_alone_is_as_old_as_its_newest(store: MadeUp, configuration: Configuration) -> None:
    for days in (40, 20, 0):
        store.crop(0.1, at=NOW - days * DAY, source="folder")
    assert prune(store.database, configuration, 30, NOW).crops == 1


def test_an_interrupted_run_goes_on_the_next_time(
    sqlite_store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(25):
        sqlite_store.crop(0.1, at=OLD)
    sqlite_store.crop(0.1)
    monkeypatch.setattr(retention, "BATCH", 10)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.0)
    counted: list[int] = []

    def interrupt(crops: int) -> None:
        counted.append(crops)
        if len(counted) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(sqlite_store.database, configuration, 30, NOW, count=interrupt)
    assert len(present(sqlite_store)) == 6
    assert prune(sqlite_store.database, configuration, 30, NOW).crops == 5


def test_no_transaction_is_larger_than_a_batch(
    sqlite_store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon's decisions wait for one of them at most."""
    with sqlite_store.database.write() as connection:
        connection.execute(
            insert(crops),
            [
                {"path": f"/x/{number}", "sha256": f"{number:064d}", "size_bytes": 1, "mtime_ns": 1, "seen_at": OLD,
                 "state": "failed", "reason": "empty"}
                for number in range(1200)
            ],
        )  # fmt: skip
    sqlite_store.next_id = 5000
    sqlite_store.crop(0.1)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    counted: list[int] = []
    prune(sqlite_store.database, configuration, 30, NOW, count=counted.append)
    assert counted == [200] * 6
    assert len(pauses) >= 3
    assert all(pause > 0 for pause in pauses)


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


def test_what_a_running_alarm_refers_to_stays_whole(store: MadeUp, configuration: Configuration) -> None:
    old = NOW - 100 * DAY
    with_alarm, ended, replaced, ordinary = (store.crop(score, at=old, threshold=1.0) for score in (2.0, 2.0, 0.5, 0.5))
    store.crop(0.5)
    now = {"opened_at": old, "opened_on": old, "first_at": old, "last_at": old, "last_decided_at": old}
    about = {"camera": "C", "hole": 7, "place": ""}
    decided = {"score": 2.0, "threshold": 1.0}
    with store.database.write() as connection:
        for number, state, ended_by in ((with_alarm, "open", None), (ended, "closed", "quiet")):
            alarm = {"id": number, "kind": "hole", **about, "state": state, **now, "crops": 1, **decided}
            connection.execute(insert(alarms), {**alarm, "highest_crop_id": number, "ended_by": ended_by})
        for crop, alarm_id in ((with_alarm, with_alarm), (ended, ended), (replaced, ended)):
            member = {"crop_id": crop, "alarm_id": alarm_id, **about, "at": old, **decided}
            connection.execute(insert(alarm_crops), member)
    prune(store.database, configuration, 60, NOW)
    with store.database.read() as connection:
        left = set(connection.execute(select(crops.c.id)).scalars())
        scored = set(connection.execute(select(scores.c.crop_id)).scalars())
    assert {with_alarm, ended, replaced} <= left
    assert ordinary not in left
    assert with_alarm in scored
    assert ended not in scored
