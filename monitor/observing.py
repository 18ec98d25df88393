"""What the daemon finds out now and then about itself, for its metrics: quality in operation, drift, thresholds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor import drift, quality
from monitor.errors import MonitorError
from monitor.store import queries, summaries

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config import Configuration
    from monitor.metrics import Metrics
    from monitor.store.engine import Database

log = logging.getLogger(__name__)


def refresh(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    """Summarise the finished hours, and publish quality, drift and thresholds as they are ``now``.

    What fails is logged, and its metrics keep their values; the rest is published all the same.
    """
    parts: tuple[Callable[[Database, Configuration, Metrics, datetime], None], ...] = (_thresholds, _quality, _drift)
    for publish in parts:
        try:
            publish(database, configuration, metrics, now)
        except MonitorError as error:
            log.warning(
                "%s; the metrics of %s keep their last values and are worked out again the next time",
                error,
                publish.__name__.removeprefix("_"),
            )


def _thresholds(database: Database, _configuration: Configuration, metrics: Metrics, _now: datetime) -> None:
    with database.read() as connection:
        origins = summaries.active_thresholds(connection)
    metrics.show_thresholds(origins)


def _quality(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    settings = configuration.settings
    with database.read() as connection:
        found = quality.measure(
            connection,
            [quality.last_days(days, now) for days in settings.quality.window_days],
            queries.active_models(connection),
            event_gap_seconds=settings.calibration.event_gap_seconds,
        )
    metrics.show_quality(found)


def _drift(database: Database, configuration: Configuration, metrics: Metrics, now: datetime) -> None:
    with database.read() as connection:
        active = queries.active_models(connection)
    for model in active:
        summaries.summarise(database, model.id, now)
    with database.read() as connection:
        found = [drift.measure(connection, model, configuration.settings.drift, now) for model in active]
    metrics.show_drift(found)
