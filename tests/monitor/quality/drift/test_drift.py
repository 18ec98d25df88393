from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import binom
from sqlalchemy import insert

from monitor.configuration.settings import Drift
from monitor.quality.drift.drift import compare_hours, drift_of_model, false_alarm_level
from monitor.quality.drift.groups import DriftState, ModelDrift
from monitor.store import models
from monitor.store.database.engine import Database
from monitor.store.database.schema import score_summaries
from monitor.store.summaries import Summary
from tests.support.made_up import store_model
from tests.support.made_up_hours import HOUR, START, line, plant, summary
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def drift_of(
    baseline: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]],
    recent: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]],
    **settings: Any,
) -> ModelDrift:
    return compare_hours("ae-1", "ae", line(baseline), line(recent), Drift(**settings))


def states(drift: ModelDrift) -> dict[tuple[str, int], DriftState]:
    return {group.key: group.state for group in drift.groups}


def test_over_all_groups_false_alarms_come_as_seldom_as_configured() -> None:
    settings = Drift(baseline_hours=16, false_alarm_days=0.1)
    rounds, groups = 250, 11
    random = np.random.default_rng(4)
    alarms = 0
    for _ in range(rounds):
        keys = [("*", -1), *(("1", hole) for hole in range(1, groups))]
        before = {key: random.standard_normal(16) for key in keys}
        drift = compare_hours("m", "ae", line(before), line({key: random.standard_normal(1) for key in keys}), settings)
        assert drift.level == pytest.approx(1 / (24 * groups * 0.1))
        alarms += sum(group.drifting for group in drift.groups)
    low, high = binom.interval(0.999, rounds * groups, 1 / (24 * groups * 0.1))
    assert low <= alarms <= high
    assert alarms / (rounds / 24) == pytest.approx(10, rel=0.4)  # a day; one in 0.1 days


def test_the_level_is_for_the_number_of_tests_a_day() -> None:
    assert false_alarm_level(60, Drift(recent_hours=1, false_alarm_days=30)) == pytest.approx(1 / (24 * 60 * 30))
    assert false_alarm_level(60, Drift(recent_hours=6, false_alarm_days=30)) == pytest.approx(1 / (24 * 60 * 30))
    assert false_alarm_level(1, Drift(recent_hours=168, false_alarm_days=0.001)) == 1


def test_where_nothing_moved_nothing_drifts() -> None:
    drift = drift_of(plant(60, 48, seed=5), plant(60, 1, seed=6))
    assert set(states(drift).values()) == {DriftState.STEADY}
    assert drift.sentence == "no drift: of 60 holes and of all together, none moved more than chance would"
    assert [group.key for group in drift.groups] == [("*", -1), *(("1", hole) for hole in range(1, 61))]


@pytest.mark.parametrize(("direction", "word"), [(1, "up"), (-1, "down")])
def test_one_hole_that_moved_by_three_hourly_sigmas_is_named_alone(direction: int, word: str) -> None:
    recent = plant(60, 6, seed=8)
    recent["1", 17] = recent["1", 17] + direction * 3 * 0.2
    drift = drift_of(plant(60, 48, seed=7), recent, recent_hours=6)
    assert [key for key, state in states(drift).items() if state is DriftState.DRIFTING] == [("1", 17)]
    assert drift.sentence.startswith(f"hole 17 alone: {word} by 0.")
    (hole,) = (group for group in drift.groups if group.key == ("1", 17))
    assert hole.shift == pytest.approx(direction * 0.6, abs=0.25)


def test_all_holes_that_moved_are_named_together() -> None:
    recent = {key: row + 3 * 0.2 for key, row in plant(60, 6, seed=10).items()}
    drift = drift_of(plant(60, 48, seed=9), recent, recent_hours=6)
    assert drift.sentence.startswith("all holes together: up by 0.")
    assert drift.groups[0].drifting


def test_the_shift_is_in_robust_sigmas_of_crops() -> None:
    baseline = {("*", -1): plant(0, 48, seed=11)["*", -1], ("1", 17): 10 + 0.02 * np.sin(np.arange(48.0))}
    recent = {("*", -1): [10.0], ("1", 17): [13.2]}
    drift = drift_of(baseline, recent)
    assert drift.sentence == "hole 17 alone: up by 3.2 robust sigmas"


def test_holes_of_several_cameras_are_named_with_their_camera() -> None:
    recent = plant(5, 1, seed=13, cameras=2)
    recent["2", 3] = recent["2", 3] - 20
    recent["", -1] = np.array([10.0])
    drift = drift_of(plant(5, 48, seed=12, cameras=2), recent)
    assert drift.sentence.startswith("camera 2 hole 3 alone: down by")
    assert states(drift)["", -1] is DriftState.LEARNING


def test_too_few_hours_are_learned_from_and_say_how_many_are_missing() -> None:
    baseline = plant(2, 10, seed=14)
    baseline["1", 2] = baseline["1", 2][:3]
    drift = drift_of(baseline, plant(2, 1, seed=15), baseline_hours=48)
    assert {group.key: group.missing_hours for group in drift.groups} == {("*", -1): 14, ("1", 1): 14, ("1", 2): 21}
    assert drift.level is None
    assert drift.sentence == "learning: 14 more hours with crops are needed to compare with"
    enough = drift_of(plant(2, 24, seed=14), plant(2, 1, seed=15), baseline_hours=48)
    assert {group.missing_hours for group in enough.groups} == {0}
    assert drift_of({}, {}).sentence == "learning: 24 more hours with crops are needed to compare with"


def test_no_recent_crops_or_too_few_are_silence() -> None:
    baseline = line(plant(1, 48, seed=16))
    for recent in ([], [summary(100, 10.0, ("1", 1), crops=19)]):
        drift = compare_hours("m", "ae", baseline, recent, Drift())
        assert set(states(drift).values()) == {DriftState.SILENT}
        assert drift.sentence == "silent: too few crops in the last hours to compare"
    mixed = compare_hours("m", "ae", baseline, [summary(100, 10.0)], Drift())
    assert states(mixed) == {("*", -1): DriftState.STEADY, ("1", 1): DriftState.SILENT}
    assert mixed.level == pytest.approx(1 / (24 * 30))  # of one test an hour


def test_scores_that_never_change_are_steady_and_one_that_does_is_infinitely_far() -> None:
    same = [Summary(START + hour * HOUR, "*", -1, 100, 0, [0.1] * 21) for hour in range(49)]
    steady = compare_hours("m", "ae", same[:48], same[48:], Drift())
    assert (steady.groups[0].state, steady.groups[0].shift, steady.groups[0].t) == (DriftState.STEADY, 0.0, 0.0)
    assert steady.groups[0].stability == pytest.approx(0, abs=0.01)
    moved = compare_hours("m", "ae", same[:48], [same[48]._replace(quantiles=[0.2] * 21)], Drift())
    assert (moved.groups[0].state, moved.groups[0].shift, moved.groups[0].p) == (DriftState.DRIFTING, np.inf, 0.0)
    assert json.loads(json.dumps(moved.as_dict(), allow_nan=False))["groups"][0]["shift"] is None


def test_it_measures_from_the_calibration_by_hand_to_the_last_finished_hour(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(database)
    rows = [summary(hour, 500.0) for hour in range(10)]  # before the calibration
    rows += [summary(10 + hour, 10 + 0.2 * np.sin(hour * 7.0)) for hour in range(30)]
    rows += [summary(40, 30.0), summary(41, -99.0)]  # the last finished hour, and the one that goes on
    now = START + timedelta(hours=41, minutes=5)
    with database.write() as connection:
        store_model(connection, START, calibrated_at=START + 9.5 * HOUR)
        connection.execute(insert(score_summaries), [{"model_id": 1, **row._asdict()} for row in rows])
    with database.read() as connection:
        (model,) = models.active_models(connection)
        drift = drift_of_model(connection, model, Drift(baseline_hours=20), now)
        later = drift_of_model(connection, model, Drift(baseline_hours=20), now + 2 * HOUR)
    database.close()
    (found,) = drift.groups
    assert (found.state, found.baseline_crops, found.crops) == (DriftState.DRIFTING, 2000, 100)
    assert found.shift == pytest.approx(20, abs=0.5)
    assert drift.sentence.startswith("all holes together: up by")
    assert (drift.model, drift.detector) == ("ae-1", "ae")
    assert states(later) == {("*", -1): DriftState.SILENT}
