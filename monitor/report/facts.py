"""Collects what is known of a model without looking at a crop: from its folder and from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.models.folders import training_report
from monitor.store import calibrations, decisions, models

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.api import FitReport
    from monitor.configuration.resolved import Configuration
    from monitor.scoring.ensemble import ActiveModel
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.database.engine import Database
    from monitor.store.decisions import RememberedScore
    from monitor.store.models import ModelRow

# Only this many of a model's newest stored decisions are read: those of a year would take minutes.
MOST_REMEMBERED: Final = 100_000


@dataclass(frozen=True)
class Facts:
    """A loaded model, its rows in the store, the report of its training, its newest decisions, and the plant's zone."""

    model: ActiveModel
    row: ModelRow
    calibration: CalibrationRow
    training: FitReport
    remembered: tuple[RememberedScore, ...]
    zone: ZoneInfo


def gather_facts(database: Database, configuration: Configuration, model: ActiveModel) -> Facts:
    """Read the store and the folder of a loaded model; loading has verified the folder."""
    with database.read() as connection:
        row = models.find_model(connection, model.name)
        calibration = calibrations.active(connection, model.id)
        remembered = decisions.newest_scores(connection, model.id, MOST_REMEMBERED)
    assert calibration is not None  # or the model would not have been loaded with a threshold
    training = training_report(configuration.models, row)
    return Facts(model, row, calibration, training, tuple(remembered), configuration.time_zone)
