from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import func, insert, select, text, update

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Calibration, Settings
from monitor.errors import StoreBusyError
from monitor.formulas.rates import WeightedRate
from monitor.metrics import Metrics
from monitor.metrics.holes import Holes
from monitor.metrics.refresh import refresh_figures, restore_holes
from monitor.quality.drift.groups import DriftState, GroupDrift, ModelDrift
from monitor.quality.operation import Quality, Rates, last_days
from monitor.store import references, summaries
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops, labels, models, reference_scores, runs, score_summaries, scores
from tests.support.made_up import MadeUp, made_up, midpoint, store_model
from tests.support.scrape import shown
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2023, 3, 10, 12, 20, tzinfo=UTC)
NOON = NOW.replace(minute=0)
HOURS = 12
CROPS_AN_HOUR = 24


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Twelve hours of two holes with 12 crops each; of every hour the first crop is an alarm, and labelled."""
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    random = np.random.default_rng(1)
    times = [NOON - timedelta(hours=HOURS - hour, minutes=-30) for hour in range(HOURS) for _ in range(CROPS_AN_HOUR)]
    made = [(number, at, number % CROPS_AN_HOUR == 1) for number, at in enumerate(times, 1)]
    words = {True: "proliv", False: "ne_proliv"}
    with opened.write() as connection:
        store_model(connection, NOON, calibrated_at=NOON - timedelta(days=1), fallback=True)
        connection.execute(
            insert(crops),
            [
                {
                    "id": number,
                    "path": f"/inbox/{number}.jpg",
                    "sha256": f"{number:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": 1 + number % 2,
                    "camera": "1",
                    "seen_at": at,
                    "state": "scored",
                    "verdict": words[alarm],
                }
                for number, at, alarm in made
            ],
        )
        connection.execute(
            insert(scores),
            [
                {
                    "crop_id": number,
                    "model_id": 1,
                    "calibration_id": 1,
                    "mse": 0.1,
                    "score": float(random.normal(1, 0.1)),
                    "threshold": 1.0,
                    "verdict": words[alarm],
                    "scored_at": at,
                    "latency_seconds": 0.1,
                }
                for number, at, alarm in made
            ],
        )
        connection.execute(
            insert(labels),
            [
                {"crop_id": number, "label": "proliv", "source": "command", "at": NOON}
                for number, _, alarm in made
                if alarm
            ],
        )
    yield opened
    opened.close()


@pytest.fixture
def configuration() -> Configuration:
    settings = Settings.model_validate({"drift": {"baseline_hours": 16, "least_crops": 10}})
    return Configuration(settings=settings, file=None)


def test_quality_drift_and_thresholds_are_published(database: Database, configuration: Configuration) -> None:
    metrics = Metrics()
    refresh_figures(database, configuration, metrics, NOW)
    found = shown(metrics.registry)
    for detector in ("ae", "decision"):
        for window in ("1d", "7d", "30d"):
            assert found[f'monitor_tpr{{detector="{detector}",window="{window}"}}'] == 1
            assert found[f'monitor_tpr_low{{detector="{detector}",window="{window}"}}'] == pytest.approx(
                0.7353, abs=1e-4
            )
            assert found[f'monitor_tpr_high{{detector="{detector}",window="{window}"}}'] == 1
    assert not [name for name in found if name.startswith("monitor_tnr")]  # no ne_proliv is labelled
    assert found['monitor_labelled_crops{label="proliv",window="7d"}'] == HOURS
    assert found['monitor_labelled_crops{label="ne_proliv",window="7d"}'] == 0
    assert found['monitor_alarm_label_coverage{window="7d"}'] == 1
    assert found['monitor_audited_crops{window="7d"}'] == 0
    assert found['monitor_threshold_fallback{detector="ae"}'] == 1
    created = (NOON - timedelta(days=1)).timestamp()
    assert found['monitor_threshold_timestamp_seconds{detector="ae"}'] == created
    for camera, hole in (("*", "all"), ("1", "1"), ("1", "2")):
        assert found[f'monitor_drift_detected{{camera="{camera}",detector="ae",hole="{hole}"}}'] == 0
        assert abs(found[f'monitor_drift_shift_sigmas{{camera="{camera}",detector="ae",hole="{hole}"}}']) < 1.5
    assert 0 <= found['monitor_drift_stability_index{detector="ae"}'] < 0.5
    with database.read() as connection:
        assert connection.execute(select(func.max(score_summaries.c.hour))).scalar() == NOON - timedelta(hours=1)


def test_a_series_that_ends_is_not_shown_any_longer(database: Database, configuration: Configuration) -> None:
    metrics = Metrics()
    refresh_figures(database, configuration, metrics, NOW)
    refresh_figures(database, configuration, metrics, NOW + timedelta(days=2))
    found = shown(metrics.registry)
    assert 'monitor_tpr{detector="ae",window="1d"}' not in found
    assert 'monitor_alarm_label_coverage{window="1d"}' not in found
    assert found['monitor_tpr{detector="ae",window="7d"}'] == 1
    assert not [name for name in found if name.startswith("monitor_drift")]  # silent for hours


def test_what_fails_is_logged_and_leaves_the_old_values(
    database: Database,
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    refresh_figures(database, configuration, metrics, NOW)
    before = shown(metrics.registry)

    def locked(*_: object) -> None:
        raise StoreBusyError("monitor.db: locked by another program")

    monkeypatch.setattr(summaries, "summarise", locked)
    with caplog.at_level(logging.WARNING):
        refresh_figures(database, configuration, metrics, NOW + timedelta(days=2))
    after = shown(metrics.registry)
    drift = {name: value for name, value in before.items() if name.startswith("monitor_drift")}
    assert drift
    assert {name: value for name, value in after.items() if name.startswith("monitor_drift")} == drift
    assert 'monitor_tpr{detector="ae",window="1d"}' not in after  # the rest went on
    (message,) = caplog.messages
    assert message == (
        "monitor.db: locked by another program; the metrics of drift keep their last values and are worked out again "
        "the next time"
    )


def test_without_a_database_nothing_is_raised(
    tmp_path: Path, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}", busy_seconds=0)
    refresh_figures(database, configuration, Metrics(), NOW)
    database.close()
    assert len(caplog.messages) == 5


def test_a_rate_without_crops_has_no_series_and_groups_are_not_shown() -> None:
    metrics = Metrics()
    rate = WeightedRate(0.8, 0.7, 0.9, 10, 10.0)
    both = Rates("ae", "ae-1", "all", None, None, rate, None)
    window = Quality(last_days(7, NOW), 10, 0, 1, 0, 5, 5, 0, 0, 0, (both, replace(both, group="hole", hole=1)))
    metrics.show_quality([window])
    found = {
        name: value
        for name, value in shown(metrics.registry).items()
        if name.startswith(("monitor_tpr", "monitor_tnr"))
    }
    assert found == {
        'monitor_tpr{detector="ae",window="7d"}': 0.8,
        'monitor_tpr_low{detector="ae",window="7d"}': 0.7,
        'monitor_tpr_high{detector="ae",window="7d"}': 0.9,
    }


def test_only_the_holes_with_the_most_crops_have_drift_of_their_own() -> None:
    metrics = Metrics(Holes(100))

    def tested(camera: str, hole: int, count: int, shift: float = 2.0) -> GroupDrift:
        state = DriftState.DRIFTING if abs(shift) > 3 else DriftState.STEADY
        return GroupDrift(camera, hole, state, count, 48, 0, shift=shift, stability=0.3, t=9.0, p=0.0)

    holes = [tested("1", hole, hole, -4.0 if hole == 7 else 2.0) for hole in range(400)]
    groups = (tested("*", -1, 0), tested("", -1, 1000), *holes)
    metrics.show_drift([ModelDrift("ae-1", "ae", 0.001, groups, "")])
    found = shown(metrics.registry)
    assert len([name for name in found if name.startswith("monitor_drift_detected")]) == 100 + 2
    assert found['monitor_drift_detected{camera="*",detector="ae",hole="all"}'] == 0
    assert found['monitor_drift_detected{camera="unknown",detector="ae",hole="unknown"}'] == 0
    assert 'monitor_drift_detected{camera="1",detector="ae",hole="399"}' in found
    assert 'monitor_drift_detected{camera="1",detector="ae",hole="100"}' not in found
    # Of the others the one that moved farthest, so that an alert on it is still raised.
    assert found['monitor_drift_detected{camera="other",detector="ae",hole="other"}'] == 1
    assert found['monitor_drift_shift_sigmas{camera="other",detector="ae",hole="other"}'] == -4.0
    assert found['monitor_drift_stability_index{detector="ae"}'] == 0.3


def test_scheduled_work_is_counted() -> None:
    metrics = Metrics()
    metrics.count_calibration("ae", "refused", "tpr")
    metrics.count_run("recalibrate", "done")
    metrics.count_run("recalibrate", "done")
    found = shown(metrics.registry)
    assert found['monitor_calibrations_total{detector="ae",outcome="refused",reason="tpr"}'] == 1
    assert found['monitor_scheduled_runs_total{outcome="done",task="nightly"}'] == 2


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    """A store with a calibrated model, in both kinds of database."""
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("new_postgresql_store")()
    with made_up(place) as made:
        made.calibrate(midpoint(Calibration(minimum_proliv=1, minimum_normal=1)), [0.1, 0.2], [3.0, 4.5], at=NOW)
        yield made


def test_the_last_crop_of_each_hole_survives_a_restart(store: MadeUp) -> None:
    threshold = store.active().threshold
    for hole, minutes, score in ((1, 50, 0.5), (1, 10, 4.0), (2, 30, 0.25), (1, 20, 0.1)):
        store.crop(score, at=NOW - timedelta(minutes=minutes), hole=hole)
    store.crop(0.3, at=NOW - timedelta(days=6), hole=None, camera=None)
    store.crop(0.3, at=NOW - timedelta(days=8), hole=9)
    store.crop(0.3, at=NOW, hole=10, source="labelled")
    configuration = Configuration(settings=Settings(), file=None)
    metrics = Metrics()
    restore_holes(store.database, configuration, metrics, NOW)
    found = {name: value for name, value in shown(metrics.registry).items() if name.startswith("monitor_hole_last")}
    last = "monitor_hole_last_crop_timestamp_seconds"
    # The crop that was stored last is the last one, whatever the clock said.
    assert {name: value for name, value in found.items() if name.startswith(last)} == {
        f'{last}{{camera="C",hole="1"}}': (NOW - timedelta(minutes=20)).timestamp(),
        f'{last}{{camera="C",hole="2"}}': (NOW - timedelta(minutes=30)).timestamp(),
        f'{last}{{camera="unknown",hole="unknown"}}': (NOW - timedelta(days=6)).timestamp(),
    }
    assert found['monitor_hole_last_score{camera="C",hole="2"}'] == 0.25
    assert found['monitor_hole_last_threshold{camera="C",hole="2"}'] == threshold
    assert found['monitor_hole_last_proliv{camera="C",hole="1"}'] == 0


def test_space_runs_and_models_are_published(store: MadeUp, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with store.database.write() as connection:
        connection.execute(update(models).values(active=True, activated_at=now))
        for job, day, outcome in (
            *(("recalibrate", 1, "1 activated"), ("recalibrate", 2, "failed: no labels"), ("recalibrate", 3, None)),
            *(("retention", 1, "failed by a defect; the log has the traceback"), ("checking", 4, "nothing")),
        ):
            finished = None if outcome is None else NOW + timedelta(days=day)
            connection.execute(
                insert(runs).values(
                    job=job, slot=NOW + timedelta(days=day), started_at=NOW, finished_at=finished, outcome=outcome
                )
            )
    paths = {"inbox": str(tmp_path), "state": str(tmp_path), "archive": str(tmp_path / "missing")}
    configuration = Configuration(settings=Settings.model_validate({"paths": paths}), file=None)
    metrics = Metrics()
    refresh_figures(store.database, configuration, metrics, now)
    found = shown(metrics.registry)
    success = "monitor_run_last_success_timestamp_seconds"
    assert {name: value for name, value in found.items() if name.startswith(success)} == {
        f'{success}{{task="nightly"}}': (NOW + timedelta(days=1)).timestamp(),
        f'{success}{{task="checking"}}': (NOW + timedelta(days=4)).timestamp(),
    }
    trained = store.model.trained_at.timestamp()
    assert found['monitor_model_trained_timestamp_seconds{detector="made-up",model="made-up-1"}'] == trained
    free = shutil.disk_usage(tmp_path).free
    for folder in ("inbox", "state"):
        assert found[f'monitor_disk_free_bytes{{folder="{folder}"}}'] == pytest.approx(free, rel=0.2)
    assert 'monitor_disk_free_bytes{folder="archive"}' not in found
    file = store.database.file
    if file is None:
        with store.database.read() as connection:
            size = connection.execute(text("select pg_database_size(current_database())")).scalar_one()
        assert found["monitor_database_size_bytes"] == pytest.approx(size, rel=0.5)
    else:
        assert file.with_name(f"{file.name}-wal").stat().st_size > 0
        assert found["monitor_database_size_bytes"] == sum(one.stat().st_size for one in tmp_path.glob("monitor.db*"))


def test_a_run_that_a_clock_ahead_has_stored_is_no_success_for_ever(store: MadeUp) -> None:
    with store.database.write() as connection:
        for days, outcome in ((0, "1 activated"), (365, "1 activated"), (3, "failed by a defect")):
            at = NOW + timedelta(days=days)
            values = {"job": "recalibrate", "slot": at, "started_at": at, "finished_at": at, "outcome": outcome}
            connection.execute(insert(runs).values(values))
    metrics = Metrics()
    refresh_figures(store.database, Configuration(settings=Settings(), file=None), metrics, NOW + timedelta(days=3))
    assert shown(metrics.registry)['monitor_run_last_success_timestamp_seconds{task="nightly"}'] == NOW.timestamp()


def test_buckets_are_made_of_what_the_store_has(store: MadeUp) -> None:
    with store.database.read() as connection:
        ranges = references.reference_ranges(connection, store.model.id)
        assert references.reference_ranges(connection, 99) == (None, None)
    assert ranges == ((0.1, 0.1, 4.5), None)  # these references are from before the mse was kept
    with store.database.write() as connection:
        connection.execute(update(reference_scores).values(mse=reference_scores.c.score - 0.2))
    with store.database.read() as connection:
        assert references.reference_ranges(connection, store.model.id).mse == pytest.approx((-0.1, 2.8, 4.3))


def test_a_confusion_counts_each_labelled_crop_once(store: MadeUp) -> None:
    for score, label in ((4.0, "proliv"), (4.0, "proliv"), (4.0, "ne_proliv"), (0.1, "proliv"), (0.1, "ne_proliv")):
        store.label(store.crop(score, at=NOW), label)
    store.crop(4.0, at=NOW)
    with store.database.write() as connection:
        connection.execute(update(models).values(active=True, activated_at=NOW))
    metrics = Metrics()
    refresh_figures(store.database, Configuration(settings=Settings(), file=None), metrics, NOW + timedelta(minutes=1))
    found = shown(metrics.registry)
    for detector in ("made-up", "decision"):
        for label, verdict, count in (
            *(("proliv", "proliv", 2), ("proliv", "ne_proliv", 1)),
            *(("ne_proliv", "proliv", 1), ("ne_proliv", "ne_proliv", 1)),
        ):
            labels = f'detector="{detector}",label="{label}",verdict="{verdict}",window="1d"'
            assert found[f"monitor_confusion_crops{{{labels}}}"] == count
