"""Chooses a threshold for a model, and records it with the evidence that it was chosen from."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor import models
from monitor.api import ScoreEvidence
from monitor.config import Configuration, plugin_settings
from monitor.crops import printable, to_text
from monitor.decision import NORMAL_SCORES, PERCENTILES, PROLIV_SCORES
from monitor.errors import DataError, NoModelError
from monitor.evaluation import evaluate
from monitor.pipeline import measure
from monitor.store import queries
from monitor.training import read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from monitor.api import Detector, ScoreArray, ThresholdRule
    from monitor.dataset import Dataset
    from monitor.evaluation import Evaluation
    from monitor.pipeline import Reader
    from monitor.registry import Registry
    from monitor.store.engine import Database
    from monitor.store.queries import ModelRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibrated:
    """A chosen threshold; ``evaluation`` is measured on the very crops that it was chosen from."""

    id: int
    model: ModelRow
    rule: str
    threshold: float
    evaluation: Evaluation


def make_rule(
    registry: Registry, configuration: Configuration, name: str, overrides: Mapping[str, Any]
) -> ThresholdRule:
    """Make the rule ``name`` with the settings of the configuration and ``overrides`` over them."""
    rule_class = registry.rule_class(name)
    settings = plugin_settings(
        rule_class.Settings,
        configuration.settings.rules.get(name, {}),
        section=f"rules.{name}",
        source=configuration.source,
        overrides=overrides,
    )
    return rule_class(settings)


def gather(
    detector: Detector,
    validation: frozenset[str],
    dataset: Dataset,
    reader: Reader,
    on_read: Callable[[], None] = lambda: None,
) -> ScoreEvidence:
    """Score the model's held-out crops, found again in train/ by their content, and those of proliv/."""
    train = read_all(reader, dataset.train, on_read)
    held_out = train.those(digest in validation for digest in train.digests)
    if validation and not held_out.pixels:
        raise DataError(
            f"{printable(dataset.root)}: none of the {len(validation)} crops that were held out when the model was "
            "trained is in train/; give the folder that it was trained on"
        )
    missing = len(validation.difference(train.digests))
    if missing:
        log.warning(
            "%s: %d of the %d crops that were held out when the model was trained are not in train/ any more; "
            "the threshold is chosen on the others; bring them back for the full evidence",
            printable(dataset.root), missing, len(validation),
        )  # fmt: skip
    proliv = read_all(reader, dataset.proliv, on_read)
    normal_scores = measure(detector, held_out.pixels, held_out.holes)
    proliv_scores = measure(detector, proliv.pixels, proliv.holes)
    return ScoreEvidence(
        normal=normal_scores[np.isfinite(normal_scores)], proliv=proliv_scores[np.isfinite(proliv_scores)]
    )


def choose(rule: ThresholdRule, evidence: ScoreEvidence) -> tuple[float, Evaluation]:
    """Let the rule choose, and measure the choice on the evidence itself."""
    threshold = float(rule.choose(evidence))
    if not math.isfinite(threshold):
        raise DataError(f"the rule {rule.name!r} chose {threshold}, which is no threshold")
    scores = np.concatenate([evidence.normal, evidence.proliv])
    labels = np.arange(len(scores)) >= len(evidence.normal)
    return threshold, evaluate(scores, labels, threshold)


def percentiles(scores: ScoreArray) -> list[float]:
    """The percentiles 0, 1, ..., 100 of float64 (N,) scores, linear between neighbours; none of no scores."""
    return [] if not len(scores) else [float(one) for one in np.quantile(scores, np.linspace(0, 1, PERCENTILES))]


def calibrate(
    database: Database, model: ModelRow, rule: ThresholdRule, evidence: ScoreEvidence, *, data: Path
) -> Calibrated:
    """Choose, record and activate a threshold, and with it the model."""
    threshold, evaluation = choose(rule, evidence)
    with database.write() as connection:
        calibration_id = queries.add_calibration(
            connection,
            model_id=model.id,
            rule=rule.name,
            settings=rule.settings.model_dump(mode="json"),
            threshold=threshold,
            evidence={
                "data": to_text(data.absolute()),
                **evaluation.as_dict(),
                NORMAL_SCORES: percentiles(evidence.normal),
                PROLIV_SCORES: percentiles(evidence.proliv),
            },
        )
        calibrated = queries.find_model(connection, model.name)
        if not calibrated.active:
            queries.activate_model(connection, calibrated)
    return Calibrated(calibration_id, model, rule.name, threshold, evaluation)


def models_to_calibrate(database: Database, registry: Registry, names: tuple[str, ...]) -> list[ModelRow]:
    """The named models, or each detector's newest; raises `NoModelError` when there is none.

    The newest come in the reverse order of the registry, which lists what is recommended first: what is activated
    last is the primary.
    """
    with database.read() as connection:
        if names:
            return [queries.find_model(connection, name) for name in names]
        rows = {row.detector: row for row in queries.newest_models(connection)}
    if not rows:
        raise NoModelError("no model is trained yet; train one: monitor train patchstats --data DIR")
    recommended = [name for name in registry.detectors if name in rows]
    uninstalled = rows.keys() - set(recommended)
    return [rows[name] for name in (*sorted(uninstalled), *reversed(recommended))]


def evidence_for(
    registry: Registry,
    configuration: Configuration,
    model: ModelRow,
    dataset: Dataset,
    reader: Reader,
    on_read: Callable[[], None] = lambda: None,
) -> ScoreEvidence:
    """Load a model and gather what its threshold is chosen from."""
    detector = models.load(registry, configuration.models, model, configuration.settings.pipeline.device)
    validation = models.validation_digests(configuration.models, model)
    return gather(detector, validation, dataset, reader, on_read)
