"""Tests whether, and where, a model's scores have moved since it was calibrated by hand.

Everything is computed from the hourly summaries of `monitor.store.summaries`, for each hole and for all together.
Crops of one hour resemble one another (the same light, the same metal), so a test that took them for independent would
find a drift in nearly every hour. The unit is the hour: the median of the recent hours is compared with the medians of
the hours after the calibration.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.quality.drift.groups import EVERYTHING, DriftState, GroupDrift, ModelDrift
from monitor.quality.drift.sentences import drift_sentence
from monitor.quality.drift.statistics import hourly_test, median_shift, medians, on_even_scale, stability_index
from monitor.store import references, summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Drift
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.summaries import GroupKey, Summary


def drift_of_models(database: Database, models: Sequence[ModelRow], settings: Drift, now: datetime) -> list[ModelDrift]:
    """Bring the summaries of the models up to date, and test every group of each model."""
    for model in models:
        summaries.summarise(database, model.id, now)
    with database.read() as connection:
        return [drift_of_model(connection, model, settings, now) for model in models]


def drift_of_model(connection: Connection, model: ModelRow, settings: Drift, now: datetime) -> ModelDrift:
    """Test every group of a model, whose summaries have to be up to date; see `summaries.summarise`."""
    end = summaries.hour_of(now)
    recent_since = end - timedelta(hours=settings.recent_hours)
    baseline = summaries.baseline_summaries(
        connection,
        model.id,
        since=references.calibrated_by_hand_at(connection, model.id),
        before=recent_since,
        least_crops=settings.least_crops,
        most=settings.baseline_hours,
    )
    recent = summaries.summaries_between(connection, model.id, recent_since, end)
    return compare_hours(model.name, model.detector, baseline, recent, settings)


def drift_of_hole(
    connection: Connection, model: ModelRow, settings: Drift, now: datetime, key: GroupKey
) -> GroupDrift | None:
    """Test one (camera, hole) of a model from the summaries that there are; None where it has none."""
    groups = drift_of_model(connection, model, settings, now).groups
    return next((group for group in groups if group.key == key), None)


def compare_hours(
    model: str, detector: str, baseline: Sequence[Summary], recent: Sequence[Summary], settings: Drift
) -> ModelDrift:
    """Compare the recent hours of each group with those of its baseline, and say where the scores drift."""
    before, after = _by_group(baseline), _by_group(recent)
    keys = sorted({EVERYTHING, *before, *after}, key=lambda key: (key != EVERYTHING, key))
    tested = [_test(key, before.get(key, []), after.get(key, []), settings) for key in keys]
    count = sum(group.tested for group in tested)
    level = false_alarm_level(count, settings) if count else None
    groups = tuple(_decided(group, level) for group in tested)
    return ModelDrift(model, detector, level, groups, drift_sentence(groups))


def false_alarm_level(groups: int, settings: Drift) -> float:
    """The p below which a group drifts, chosen so that a false alarm occurs once in ``false_alarm_days`` on average.

    Each of the ``groups`` is tested every hour. Where nothing drifts, p is uniform in 0-1, so the expected number of
    tests a day that raise an alarm is (tests a day) * level, whether or not they depend on one another. With
    ``recent_hours`` above 1 the tests overlap and alarms last longer, so they begin more rarely.
    """
    tests_a_day = 24 * groups
    return min(1.0, 1 / (tests_a_day * settings.false_alarm_days))


def _by_group(rows: Iterable[Summary]) -> dict[GroupKey, list[Summary]]:
    found: defaultdict[GroupKey, list[Summary]] = defaultdict(list)
    for row in rows:
        found[row.camera, row.hole].append(row)
    return found


def _test(key: GroupKey, baseline: list[Summary], recent: list[Summary], settings: Drift) -> GroupDrift:
    """Test one group; whether it drifts is decided once the number of tested groups is known."""
    enough = [hour for hour in recent if hour.crops >= settings.least_crops]
    camera, hole = key
    crops, baseline_crops = sum(hour.crops for hour in recent), sum(hour.crops for hour in baseline)
    missing = max(0, (settings.baseline_hours + 1) // 2 - len(baseline))
    if missing:
        return GroupDrift(camera, hole, DriftState.LEARNING, crops, baseline_crops, missing)
    if not enough:
        return GroupDrift(camera, hole, DriftState.SILENT, crops, baseline_crops, 0)
    t, p = hourly_test(*on_even_scale(medians(baseline), medians(enough)))
    return GroupDrift(
        *(camera, hole, DriftState.STEADY, sum(hour.crops for hour in enough), baseline_crops, 0),
        shift=median_shift(baseline, enough),
        stability=stability_index(baseline, enough),
        t=float(t),
        p=float(p),
    )


def _decided(group: GroupDrift, level: float | None) -> GroupDrift:
    if level is None or group.p is None or group.p >= level:
        return group
    return replace(group, state=DriftState.DRIFTING)
