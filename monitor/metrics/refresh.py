"""Refreshes the figures that are read from the store and the disks: quality, drift, models, runs, free space."""

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
from monitor.store.calibrations import active_thresholds
from monitor.store.database.size import size_bytes
from monitor.store.models import active_models
from monitor.store.references import reference_ranges
from monitor.store.runs import last_successes
from monitor.store.traffic import last_crops

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


def ranges_of_references(database: Database, ensemble: Ensemble) -> dict[int, ReferenceRanges]:
    """The ranges of the scores of each model's references, by the model's id."""
    with database.read() as connection:
        return {model.id: reference_ranges(connection, model.id) for model in ensemble.models}


def restore_holes(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Publish the last crop of each hole, so that alerts on holes that fell silent before a restart stay active.

    Goes back as far as the time from which expected holes are learned. Raises `StoreError`.
    """
    since = now - timedelta(days=configuration.settings.completeness.learn_days)
    with database.read() as connection:
        rows = last_crops(connection, since)
    metrics.restore_holes(rows, now)


def refresh_figures(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Summarise the finished hours and publish all figures of this module, as they are ``now``.

    If a part fails, it is logged and its metrics keep their values; the other parts are published all the same.
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


def publish_completeness(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Publish how many expected crops came, came late or are missing. Raises `StoreError`."""
    with database.read() as connection:
        found = completeness_of_window(connection, configuration.settings.completeness, now)
    metrics.show_completeness(found)


def _space(database: Database, configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    folders = {"inbox": configuration.inbox, "state": configuration.state, "archive": configuration.archive}
    free = {name: _free_bytes(folder) for name, folder in folders.items() if folder is not None}
    metrics.show_space(size_bytes(database), {name: count for name, count in free.items() if count is not None})


def _free_bytes(folder: Path) -> int | None:
    """How much an ordinary user may still write below a folder; None if the folder cannot be accessed."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _runs(database: Database, _configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    with database.read() as connection:
        successes = last_successes(connection, now)
    metrics.show_runs(successes)


def _models(database: Database, configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        active = deciding(active_models(connection), configuration.settings.decision.detectors)
    metrics.show_trained(active)


def _thresholds(database: Database, _configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        origins = active_thresholds(connection)
    metrics.show_thresholds(origins)


def _quality(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    settings = configuration.settings
    with database.read() as connection:
        found = quality_in_operation(
            connection,
            [last_days(days, now) for days in settings.quality.window_days],
            active_models(connection),
            event_gap_seconds=settings.calibration.event_gap_seconds,
        )
    metrics.show_quality(found)


def _drift(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    with database.read() as connection:
        active = active_models(connection)
    metrics.show_drift(drift_of_models(database, active, configuration.settings.drift, now))
