"""A threshold by a rule, or by the fallback where there is too little proliv; what fails becomes a refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.api import ScoreEvidence
from monitor.errors import ConfigurationError, DataError, EvidenceMissingError, MonitorError
from monitor.models import folders
from monitor.thresholds import gather, guard
from monitor.thresholds.guard import Refusal, Refused
from monitor.thresholds.references import make_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from monitor.api import ThresholdRule
    from monitor.configuration.file import Configuration
    from monitor.configuration.settings import Calibration
    from monitor.registry import Registry
    from monitor.store.decisions import ModelRow
    from monitor.thresholds.gather import Evidence


@dataclass(frozen=True)
class Rules:
    """The rule that chooses thresholds, the one that does so without proliv, and what guards a change.

    ``explicit``: somebody asked for this very rule, so the fallback never takes its place. ``trained_on``: the sha256
    of the crops that a model was trained on.
    """

    rule: ThresholdRule
    fallback: ThresholdRule
    settings: Calibration
    explicit: bool = False
    trained_on: Callable[[ModelRow], Collection[str]] = lambda _: ()

    @classmethod
    def of(
        cls,
        registry: Registry,
        configuration: Configuration,
        name: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Rules:
        """Those of the configuration, or another rule where it is named, with ``overrides`` over its settings."""
        settings = configuration.settings.calibration
        fallback = make_rule(registry, configuration, settings.fallback_rule, {})
        _require_no_proliv(fallback, configuration)
        return cls(
            make_rule(registry, configuration, name or settings.rule, overrides or {}),
            fallback,
            settings,
            explicit=name is not None,
            trained_on=lambda row: folders.training_digests(configuration.models, row),
        )


def _require_no_proliv(fallback: ThresholdRule, configuration: Configuration) -> None:
    """Try the fallback without proliv, so that it does not fail in the one night in which it is needed."""
    try:
        fallback.choose(ScoreEvidence(np.linspace(1, 2, 10_000), np.empty(0), crops_per_week=10_000))
    except EvidenceMissingError as error:
        raise ConfigurationError(
            f"{configuration.source}: calibration.fallback_rule: {fallback.name!r} cannot choose without proliv "
            f"({error}); name one that can, such as normal-quantile"
        ) from None


@dataclass(frozen=True)
class Chosen:
    """A threshold that a rule chose, by the fallback or not, or why it chose none."""

    rule: ThresholdRule
    fallback: bool
    threshold: float | None = None
    refused: Refused | None = None


def choose(rules: Rules, gathered: Evidence) -> Chosen:
    """Let the rule choose, or the fallback where there is too little proliv; whatever fails becomes a refusal."""
    rule, fallback = rule_for(rules, gathered)
    scores = gathered.scores
    refused = guard.counts(len(scores.normal), gather.effective(scores.normal_weights), rules.settings)
    if refused is not None:
        return Chosen(rule, fallback, refused=refused)
    try:
        return Chosen(rule, fallback, threshold=chosen_by(rule, scores))
    except EvidenceMissingError as error:
        return Chosen(rule, fallback, refused=Refused(Refusal.EVIDENCE_MISSING, str(error)))
    except MonitorError as error:
        return Chosen(rule, fallback, refused=Refused(Refusal.NO_THRESHOLD, str(error)))
    except Exception as error:  # noqa: BLE001 - a rule is a third party's code and may raise anything
        sentence = f"the rule {rule.name!r} failed: {type(error).__name__}: {error}"
        return Chosen(rule, fallback, refused=Refused(Refusal.NO_THRESHOLD, sentence))


def chosen_by(rule: ThresholdRule, scores: ScoreEvidence) -> float:
    """The threshold that a rule chooses; raises `DataError` when that is no finite number."""
    threshold = float(rule.choose(scores))
    if not math.isfinite(threshold):
        raise DataError(f"the rule {rule.name!r} chose {threshold}, which is no threshold")
    return threshold


def rule_for(rules: Rules, gathered: Evidence) -> tuple[ThresholdRule, bool]:
    """The rule that is to choose, and whether it is the fallback."""
    too_few = len(gathered.scores.proliv) < rules.settings.minimum_proliv
    if too_few and (not rules.explicit or rules.rule.name == rules.fallback.name):
        return rules.fallback, True
    return rules.rule, False
