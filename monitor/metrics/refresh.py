"""What the daemon finds out about itself, for its metrics: quality in operation, drift, models, runs, space."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.errors import MonitorError
from monitor.quality.completeness import completeness_of_window
from monitor.quality.drift.drift import drift_of_models
from monitor.quality.operation import last_days, quality_in_operation
from monitor.scoring.vote import deciding
from monitor.store import calibrations as store_calibrations
from monitor.store import models, references, runs, traffic
from monitor.store.database import size

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.metrics import Metrics
    from monitor.scoring.ensemble import Ensemble
    from monitor.store.database.engine import Database
    from monitor.store.references import ReferenceRanges

log = logging.getLogger(__name__)


def reference_ranges(database: Database, ensemble: Ensemble) -> dict[int, ReferenceRanges]:
    """Where the scores of each model's references lie, by its id."""
    with database.read() as connection:
        return {model.id: references.reference_ranges(connection, model.id) for model in ensemble.models}


def restore_holes(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Publish the last crop of each hole, so that one that fell silent before a restart is still seen to be.

    It goes back as far as the expected holes are learned from. Raises `StoreError`.
    """
    since = now - timedelta(days=configuration.settings.completeness.learn_days)
    with database.read() as connection:
        rows = traffic.last_crops(connection, since)
    metrics.restore_holes(rows, now)


def refresh(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Summarise the finished hours, and publish all that is found out now and then as it is ``now``.

    What fails is logged, and its metrics keep their values; the rest is published all the same.
    """
    parts: tuple[Callable[[Database, Configuration, Metrics, datetime], None], ...] = (
        *(_runs, _models, _thresholds),
        *(_quality, _drift, _space),
    )
    for publish in parts:
        try:
            publish(database, configuration, metrics, now)
        except MonitorError as error:
            log.warning(
                "%s; the metrics of %s keep their last values and are worked out again the next time",
                error,
                publish.__name__.removeprefix("_"),
            )


def count_intervals(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Publish which expected crops came, came late or are missing. Raises `StoreError`."""
    with database.read() as connection:
        found = completeness_of_window(connection, configuration.settings.completeness, now)
    metrics.show_completeness(found)


def _space(database: Database, configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    folders = {"inbox": configuration.inbox, "state": configuration.state, "archive": configuration.archive}
    free = {name: _free_bytes(folder) for name, folder in folders.items() if folder is not None}
    metrics.show_space(size.size_bytes(database), {name: count for name, count in free.items() if count is not None})


def _free_bytes(folder: Path) -> int | None:
    """What a user without privileges may still write below a folder; None where it cannot be looked at."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _runs(database: Database, _configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        successes = runs.last_successes(connection)
    metrics.show_runs(successes)


def _models(database: Database, configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        active = deciding(models.active_models(connection), configuration.settings.decision.detectors)
    metrics.show_trained(active)


def _thresholds(database: Database, _configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        origins = store_calibrations.active_thresholds(connection)
    metrics.show_thresholds(origins)


def _quality(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    settings = configuration.settings
    with database.read() as connection:
        found = quality_in_operation(
            connection,
            [last_days(days, now) for days in settings.quality.window_days],
            models.active_models(connection),
            event_gap_seconds=settings.calibration.event_gap_seconds,
        )
    metrics.show_quality(found)


def _drift(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    with database.read() as connection:
        active = models.active_models(connection)
    metrics.show_drift(drift_of_models(database, active, configuration.settings.drift, now))
