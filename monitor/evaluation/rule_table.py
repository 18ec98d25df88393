"""Measures every threshold rule for every model: chosen from the stored references, measured on other crops.

The references are the labelled crops that `monitor calibrate --data` was given. Here each counts the same, so that the
figures can be repeated on any day; the nightly calibration weighs them, together with what was labelled since. Once a
rule is chosen for its figures on the crops that it is measured on, these figures are too good.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.api import ScoreEvidence
from monitor.errors import ConfigurationError, MonitorError, NoModelError
from monitor.evaluation.certainty import outlook
from monitor.evaluation.comparison import Judge
from monitor.models.calls import score_all
from monitor.models.loader import ModelLoader
from monitor.registry import whose
from monitor.store import models
from monitor.store.references import references_of
from monitor.thresholds.choice import threshold_by
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from monitor.api import ThresholdRule
    from monitor.configuration.resolved import Configuration
    from monitor.crops.in_memory import ReadCrops
    from monitor.formulas.rates import Evaluation
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One rule for one model: what its threshold does, or a sentence that says why it cannot choose one."""

    model: str
    detector: str
    rule: str
    evaluation: Evaluation | None
    reason: str | None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON; without a threshold no figures."""
        figures = {}
        if self.evaluation is not None:
            figures = {**self.evaluation.as_dict(), **outlook(self.evaluation.tp + self.evaluation.fn)}
        names = {"model": self.model, "detector": self.detector, "rule": self.rule, "reason": self.reason}
        return {"threshold": None, **figures, **names}


@dataclass(frozen=True)
class Referenced:
    """A model with the scores of its references."""

    row: ModelRow
    evidence: ScoreEvidence


def referenced_models(database: Database, names: Sequence[str] = ()) -> list[Referenced]:
    """The models with stored references, the newest first, or those with these names.

    Raises `NoModelError` when there is none, or when one that is named has none.
    """
    with database.read() as connection:
        rows = [models.find_model(connection, name) for name in names] or models.all_models(connection)
        given = [(row, references_of(connection, row.id)) for row in rows]
    found = [Referenced(row, _evidence(scores)) for row, scores in given if scores]
    without = [row.name for row, scores in given if not scores]
    if not found or (names and without):
        who, options = (f"{without[0]} has no", f" --model {without[0]}") if names else ("no model has", "")
        raise NoModelError(
            f"{who} stored scores of labelled crops, from which rules choose; store them: "
            f"monitor calibrate{options} --data DIR"
        )
    return found


def tabulate(
    found: Sequence[Referenced],
    registry: Registry,
    configuration: Configuration,
    crops: ReadCrops,
    proliv: NDArray[np.bool_],
    on_model: Callable[[], None] = lambda: None,
) -> list[Entry]:
    """Measure every registered rule for every model on N crops with N labels, True = proliv; model by model.

    A model that cannot be loaded is left out with a warning, unless none is left.
    """
    loader = ModelLoader(registry, configuration)
    rules = {name: _made(registry, configuration, name) for name in registry.rules}
    entries: list[Entry] = []
    failure: MonitorError | None = None
    for one in found:
        try:
            # One at a time: all that were ever trained might not fit into memory together.
            detector = loader.load(one.row)
        except MonitorError as error:
            failure = error
            log.warning("%s; %s is left out", error, one.row.name)
        else:
            scores = score_all(detector, crops.pixels, crops.holes).deciding
            entries += [_entry(one, name, rule, scores, proliv) for name, rule in rules.items()]
        on_model()
    if failure is not None and not entries:
        raise failure
    return entries


def _evidence(scores: Sequence[ReferenceRow]) -> ScoreEvidence:
    by_label = {label: [one.score for one in scores if one.label == label.value] for label in Label}
    return ScoreEvidence(normal=np.array(by_label[Label.NE_PROLIV]), proliv=np.array(by_label[Label.PROLIV]))


def _made(registry: Registry, configuration: Configuration, name: str) -> ThresholdRule | str:
    """The rule as configured, or why it cannot be made; a wrong setting is an error."""
    try:
        return registry.new_rule(name, configuration)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's rule may raise anything; the others are measured
        return _sentence(name, registry.rules[name].whose, error)


def _entry(
    one: Referenced, name: str, rule: ThresholdRule | str, scores: NDArray[np.float64], proliv: NDArray[np.bool_]
) -> Entry:
    threshold = rule if isinstance(rule, str) else _chosen(rule, one.evidence)
    if isinstance(threshold, str):
        return Entry(one.row.name, one.row.detector, name, None, threshold)
    evaluation = Judge(one.row.detector, one.row.name, scores, threshold).evaluate(proliv)
    return Entry(one.row.name, one.row.detector, name, evaluation, None)


def _chosen(rule: ThresholdRule, evidence: ScoreEvidence) -> float | str:
    """The threshold, or the sentence that says why there is none."""
    try:
        return threshold_by(rule, evidence)
    except Exception as error:  # noqa: BLE001 - likewise
        return _sentence(rule.name, whose(rule), error)


def _sentence(rule: str, who: str, error: Exception) -> str:
    """What an error says; one that was not written for a person goes to the log with its traceback."""
    if isinstance(error, MonitorError):
        return str(error)
    log.error("the rule %s%s failed; the others are measured without it", rule, who, exc_info=error)
    return f"the rule {rule!r}{who} failed: {type(error).__name__}: {error}"
