from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, ttest_ind
from sqlalchemy import insert

from monitor.configuration.settings import Drift as Settings
from monitor.quality.drift.drift import compare, false_alarm_level, measure
from monitor.quality.drift.groups import Drift, GroupDrift, State
from monitor.quality.drift.sentences import sentence
from monitor.quality.drift.statistics import hourly_test, median_shift, on_even_scale, stability_index
from monitor.store import models
from monitor.store.database.engine import Database
from monitor.store.database.schema import score_summaries
from monitor.store.database.upgrade import upgrade
from monitor.store.summaries import Summary
from tests.support.made_up import store_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

START = datetime(2023, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Crops of one hour: normal scores with standard deviation 1 around the hour's median.
SHAPE = norm.ppf(np.clip(np.linspace(0, 1, 21), 0.001, 0.999))


def summary(hour: int, median: float, key: tuple[str, int] = ("*", -1), crops: int = 100) -> Summary:
    return Summary(START + hour * HOUR, *key, crops, 0, list(SHAPE + median))


def line(medians: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]]) -> list[Summary]:
    return [summary(hour, median, key) for key, row in medians.items() for hour, median in enumerate(row)]


def plant(holes: int, hours: int, seed: int, cameras: int = 1) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Medians of a line where nothing drifts: normal, standard deviation 0.2 from hour to hour."""
    random = np.random.default_rng(seed)
    keys = [("*", -1), *((str(camera), hole) for camera in range(1, cameras + 1) for hole in range(1, holes + 1))]
    return {key: 10 + 0.2 * random.standard_normal(hours) for key in keys}


def drift_of(
    baseline: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]],
    recent: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]],
    **settings: Any,
) -> Drift:
    return compare("ae-1", "ae", line(baseline), line(recent), Settings(**settings))


def states(drift: Drift) -> dict[tuple[str, int], State]:
    return {group.key: group.state for group in drift.groups}


def test_p_is_that_of_a_two_sample_t_test_with_one_recent_value() -> None:
    # With one value in the second sample, the pooled variance is the first sample's alone.
    random = np.random.default_rng(1)
    baseline, recent = random.standard_normal(48), random.standard_normal(1)
    t, p = hourly_test(baseline, recent)
    expected = ttest_ind(recent, baseline)
    assert [float(t), float(p)] == pytest.approx([float(expected.statistic), float(expected.pvalue)])


@pytest.mark.parametrize("recent_hours", [1, 6])
def test_false_alarms_are_as_many_as_the_level_says(recent_hours: int) -> None:
    random = np.random.default_rng(2)
    tests, level = 100_000, 2e-3
    _, p = hourly_test(random.standard_normal((tests, 48)), random.standard_normal((tests, recent_hours)))
    low, high = binom.interval(0.999, tests, level)
    assert low <= (p < level).sum() <= high


def test_crops_that_resemble_each_other_within_the_hour_make_no_false_alarms() -> None:
    # Every crop of an hour shares its light: a first-order autoregression of correlation 0.9 on top of skewed noise.
    random = np.random.default_rng(3)
    tests, hours, crops, level = 4000, 25, 40, 0.01
    light = np.empty((tests, hours, crops), dtype=np.float32)
    light[..., 0] = random.standard_normal((tests, hours), dtype=np.float32)
    noise = random.standard_normal((tests, hours, crops), dtype=np.float32) * np.sqrt(1 - 0.9**2).astype(np.float32)
    for crop in range(1, crops):
        light[..., crop] = np.float32(0.9) * light[..., crop - 1] + noise[..., crop]
    scores = light + random.gamma(2, 0.3, light.shape)
    medians = np.median(scores, axis=-1).astype(np.float64)
    low, high = binom.interval(0.999, tests, level)
    _, p = hourly_test(medians[:, :-1], medians[:, -1:])
    assert low <= (p < level).sum() <= high
    # A test that took the crops for independent would cry wolf all day.
    naive = ttest_ind(scores[:500, -1], scores[:500, :-1].reshape(500, -1), axis=1).pvalue
    assert (naive < level).mean() > 0.3


def test_over_all_groups_false_alarms_come_as_seldom_as_configured() -> None:
    settings = Settings(baseline_hours=16, false_alarm_days=0.1)
    rounds, groups = 250, 11
    random = np.random.default_rng(4)
    alarms = 0
    for _ in range(rounds):
        keys = [("*", -1), *(("1", hole) for hole in range(1, groups))]
        before = {key: random.standard_normal(16) for key in keys}
        drift = compare("m", "ae", line(before), line({key: random.standard_normal(1) for key in keys}), settings)
        assert drift.level == pytest.approx(1 / (24 * groups * 0.1))
        alarms += sum(group.drifting for group in drift.groups)
    low, high = binom.interval(0.999, rounds * groups, 1 / (24 * groups * 0.1))
    assert low <= alarms <= high
    assert alarms / (rounds / 24) == pytest.approx(10, rel=0.4)  # a day; one in 0.1 days


def test_skewed_scores_make_no_more_false_alarms_than_even_ones() -> None:
    random = np.random.default_rng(18)
    tests, level = 40_000, 1e-3
    medians = np.exp(0.5 * random.standard_normal((tests, 49)))
    low, high = binom.interval(0.999, tests, level)
    even = [on_even_scale(row[:-1], row[-1:]) for row in medians]
    _, p = hourly_test(np.array([one for one, _ in even]), np.array([one for _, one in even]))
    assert low <= (p < level).sum() <= high
    _, naive = hourly_test(medians[:, :-1], medians[:, -1:])
    assert (naive < level).sum() > 5 * high


def test_scores_that_are_not_all_positive_are_left_as_they_are() -> None:
    baseline, recent = np.array([1.0, 2.0]), np.array([0.0])
    assert on_even_scale(baseline, recent) == (baseline, recent)


def test_the_level_is_for_the_number_of_tests_a_day() -> None:
    assert false_alarm_level(60, Settings(recent_hours=1, false_alarm_days=30)) == pytest.approx(1 / (24 * 60 * 30))
    assert false_alarm_level(60, Settings(recent_hours=6, false_alarm_days=30)) == pytest.approx(1 / (24 * 60 * 30))
    assert false_alarm_level(1, Settings(recent_hours=168, false_alarm_days=0.001)) == 1


def test_where_nothing_moved_nothing_drifts() -> None:
    drift = drift_of(plant(60, 48, seed=5), plant(60, 1, seed=6))
    assert set(states(drift).values()) == {State.STEADY}
    assert drift.sentence == "no drift: of 60 holes and of all together, none moved more than chance would"
    assert [group.key for group in drift.groups] == [("*", -1), *(("1", hole) for hole in range(1, 61))]


@pytest.mark.parametrize(("direction", "word"), [(1, "up"), (-1, "down")])
def test_one_hole_that_moved_by_three_hourly_sigmas_is_named_alone(direction: int, word: str) -> None:
    recent = plant(60, 6, seed=8)
    recent["1", 17] = recent["1", 17] + direction * 3 * 0.2
    drift = drift_of(plant(60, 48, seed=7), recent, recent_hours=6)
    assert [key for key, state in states(drift).items() if state is State.DRIFTING] == [("1", 17)]
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
    assert states(drift)["", -1] is State.LEARNING


def group(hole: int, shift: float, *, drifting: bool = True, camera: str = "1") -> GroupDrift:
    state = State.DRIFTING if drifting else State.STEADY
    return GroupDrift(camera, hole, state, 100, 4800, 0, shift=shift, stability=0.1, t=shift * 9, p=0.5)


def everything(shift: float, *, drifting: bool) -> GroupDrift:
    return group(-1, shift, drifting=drifting, camera="*")


def test_several_holes_are_listed_the_farthest_first() -> None:
    steady = [group(hole, 0.1, drifting=False) for hole in range(20, 60)]
    two = [everything(0, drifting=False), group(3, 1.0), group(4, -2.0), *steady]
    assert sentence(two) == "hole 4 down by 2.0 robust sigmas, hole 3 up by 1.0 robust sigmas"
    eight = [everything(0, drifting=True), *(group(hole, float(hole)) for hole in range(1, 9)), *steady]
    assert sentence(eight) == (
        "hole 8 up by 8.0 robust sigmas, hole 7 up by 7.0 robust sigmas, hole 6 up by 6.0 robust sigmas, "
        "hole 5 up by 5.0 robust sigmas, hole 4 up by 4.0 robust sigmas, and 3 more"
    )


def test_all_together_means_more_than_half_in_one_direction_or_no_hole_alone() -> None:
    half = [group(1, 1.0), group(2, 1.0), group(3, 0.0, drifting=False), group(4, 0.0, drifting=False)]
    assert sentence([everything(1, drifting=True), *half]).startswith("hole 1 up")
    most = [group(1, 1.0), group(2, 3.0), group(3, 2.0), group(4, -5.0)]
    assert sentence([everything(0, drifting=False), *most]) == (
        "all holes together: up by 2.0 robust sigmas, 3 of 4 holes"
    )
    quiet = [group(hole, 0.4, drifting=False) for hole in range(1, 5)]
    assert sentence([everything(0.5, drifting=True), *quiet]) == (
        "all holes together: up by 0.5 robust sigmas, no hole stands out"
    )
    assert sentence([everything(0.5, drifting=True)]).startswith("all holes together: up by 0.5")


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
        drift = compare("m", "ae", baseline, recent, Settings())
        assert set(states(drift).values()) == {State.SILENT}
        assert drift.sentence == "silent: too few crops in the last hours to compare"
    mixed = compare("m", "ae", baseline, [summary(100, 10.0)], Settings())
    assert states(mixed) == {("*", -1): State.STEADY, ("1", 1): State.SILENT}
    assert mixed.level == pytest.approx(1 / (24 * 30))  # of one test an hour


def test_scores_that_never_change_are_steady_and_one_that_does_is_infinitely_far() -> None:
    same = [Summary(START + hour * HOUR, "*", -1, 100, 0, [0.1] * 21) for hour in range(49)]
    steady = compare("m", "ae", same[:48], same[48:], Settings())
    assert (steady.groups[0].state, steady.groups[0].shift, steady.groups[0].t) == (State.STEADY, 0.0, 0.0)
    assert steady.groups[0].stability == pytest.approx(0, abs=0.01)
    moved = compare("m", "ae", same[:48], [same[48]._replace(quantiles=[0.2] * 21)], Settings())
    assert (moved.groups[0].state, moved.groups[0].shift, moved.groups[0].p) == (State.DRIFTING, np.inf, 0.0)
    assert json.loads(json.dumps(moved.as_dict(), allow_nan=False))["groups"][0]["shift"] is None


def test_the_stability_index_of_the_same_crops_is_nothing_and_of_moved_ones_large() -> None:
    hours = [summary(hour, 10.0, crops=1000) for hour in range(48)]
    assert stability_index(hours, [summary(50, 10.0, crops=1000)]) == pytest.approx(0, abs=1e-4)
    near = stability_index(hours, [summary(50, 10.1, crops=1000)])
    far = stability_index(hours, [summary(50, 11.0, crops=1000)])
    assert 0 < near < 0.1 < 0.5 < far
    # By the formula itself, from the normal distribution that both are: bins at the deciles of the first.
    edges = norm.ppf(np.arange(1, 10) / 10)
    share = np.diff(norm.cdf(edges - 1), prepend=0, append=1)
    assert far == pytest.approx(((share - 0.1) * np.log(share / 0.1)).sum(), rel=0.1)


@given(moved=st.floats(-50, 50), crops=st.integers(1, 10_000))
def test_the_stability_index_is_a_finite_divergence(moved: float, crops: int) -> None:
    index = stability_index([summary(0, 10.0, crops=50)], [summary(1, 10 + moved, crops=crops)])
    assert np.isfinite(index)
    assert index >= -1e-12


def test_few_crops_that_did_not_drift_have_a_small_index() -> None:
    random = np.random.default_rng(17)
    hours = [
        Summary(START, "*", -1, 200, 0, list(np.quantile(random.standard_normal(200), np.linspace(0, 1, 21))))
        for _ in range(48)
    ]
    found = [
        stability_index(
            hours,
            [Summary(START, "*", -1, 50, 0, list(np.quantile(random.standard_normal(50), np.linspace(0, 1, 21))))],
        )
        for _ in range(200)
    ]
    assert np.mean(found) < 9 / 50


def test_hours_with_more_crops_weigh_more_in_the_shift() -> None:
    baseline = [summary(0, 0.0, crops=300), summary(1, 4.0, crops=100)]
    assert median_shift(baseline, [summary(2, 2.0)]) == pytest.approx(1.0, abs=0.01)


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
        drift = measure(connection, model, Settings(baseline_hours=20), now)
        later = measure(connection, model, Settings(baseline_hours=20), now + 2 * HOUR)
    database.close()
    (found,) = drift.groups
    assert (found.state, found.baseline_crops, found.crops) == (State.DRIFTING, 2000, 100)
    assert found.shift == pytest.approx(20, abs=0.5)
    assert drift.sentence.startswith("all holes together: up by")
    assert (drift.model, drift.detector) == ("ae-1", "ae")
    assert states(later) == {("*", -1): State.SILENT}
