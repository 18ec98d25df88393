"""The nightly run: reads new labels, adds missing scores, and chooses a threshold for every active model."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from monitor.labels import missing_scores, rescan
from monitor.scoring.ensemble import load_active
from monitor.thresholds.calibration import recalibrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.thresholds.change import Change, ChangeRequest
    from monitor.thresholds.rules import Rules

log = logging.getLogger(__name__)


def read_labels(database: Database, registry: Registry, configuration: Configuration) -> None:
    """Read what is new in the labelled folder, and score the labelled crops that an active model has not scored."""
    ensemble = load_active(database, registry, configuration)
    found = rescan.rescan(configuration, database, ensemble)
    scored = missing_scores.score_missing(configuration, database, ensemble)
    if any((found.new, found.unreadable, found.gone, scored.scored)):
        log.info(
            "labels: %d new files, %d unreadable, %d gone; %d labelled crops scored",
            found.new, found.unreadable, found.gone, scored.scored,
        )  # fmt: skip


def run(
    database: Database, registry: Registry, configuration: Configuration, request: ChangeRequest, rules: Rules
) -> list[Change]:
    """Read new labels, and choose a threshold for every active model."""
    read_labels(database, registry, configuration)
    outcomes = recalibrate(database, rules, request)
    for outcome in outcomes:
        log_change(outcome)
    return outcomes


def log_change(outcome: Change) -> None:
    """Log what became of a model's threshold."""
    name = outcome.model.name
    for note in outcome.notes:
        log.warning("%s: %s", name, note)
    if outcome.result == "refused":
        log.warning("%s: the new threshold is refused (%s): %s", name, outcome.refusal, outcome.reason)
    elif outcome.result == "shadow":
        log.info("%s: the threshold %.6g is %s", name, outcome.threshold, outcome.reason)
    elif outcome.result == "activated":
        by = f"{outcome.rule}, the fallback for too little proliv" if outcome.fallback else outcome.rule
        log.info("%s: the threshold is now %.6g by %s, before %s", name, outcome.threshold, by, outcome.before)


def summary(outcomes: Sequence[Change]) -> str:
    """What became of all models, in a few words."""
    counts = Counter(f"refused ({one.refusal})" if one.refusal else one.result for one in outcomes)
    return ", ".join(f"{count} {result}" for result, count in sorted(counts.items())) or "no active model"
