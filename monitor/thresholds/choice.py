"""Lets a rule choose a threshold, or the fallback where there is too little proliv."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import DataError, EvidenceMissingError, MonitorError
from monitor.formulas.weights import effective_size
from monitor.registry import whose
from monitor.thresholds import guard
from monitor.thresholds.guard import Refused
from monitor.thresholds.natural import why_held
from monitor.words import Refusal

if TYPE_CHECKING:
    from monitor.api import ScoreEvidence, ThresholdRule
    from monitor.store.models import ModelRow
    from monitor.thresholds.evidence import Evidence
    from monitor.thresholds.rules import Rules


@dataclass(frozen=True)
class Choice:
    """The threshold that a rule chose, or why it chose none; ``fallback``: whether it is the fallback rule.

    ``notes``: what a person should know of it.
    """

    rule: ThresholdRule
    fallback: bool
    threshold: float | None = None
    refused: Refused | None = None
    notes: tuple[str, ...] = ()


def choose_threshold(rules: Rules, model: ModelRow, gathered: Evidence) -> Choice:
    """Let the rule choose, or the fallback where there is too little proliv; every failure becomes a refusal."""
    rule, fallback = rule_for(rules, model, gathered)
    scores = gathered.scores
    refused = guard.too_few_normal(len(scores.normal), effective_size(scores.normal_weights), rules.settings)
    if refused is not None:
        return Choice(rule, fallback, refused=refused)
    try:
        return choose_or_raise(rules, model, gathered)
    except EvidenceMissingError as error:
        return Choice(rule, fallback, refused=Refused(Refusal.EVIDENCE_MISSING, str(error)))
    except MonitorError as error:
        return Choice(rule, fallback, refused=Refused(Refusal.NO_THRESHOLD, str(error)))
    except Exception as error:  # noqa: BLE001 - a rule is a third party's code and may raise anything
        sentence = f"the rule {rule.name!r}{whose(rule)} failed: {type(error).__name__}: {error}"
        return Choice(rule, fallback, refused=Refused(Refusal.NO_THRESHOLD, sentence))


def choose_or_raise(rules: Rules, model: ModelRow, gathered: Evidence) -> Choice:
    """Let the rule or the fallback choose; raises what the rule does, and `DataError` as `threshold_by`.

    Where the score itself suggests a threshold, that one is used unless labelled crops are reason enough for another,
    see `monitor.thresholds.natural`.
    """
    rule, fallback = rule_for(rules, model, gathered)
    threshold = threshold_by(rule, gathered.scores)
    suggested = None if fallback or rules.explicit else rules.fallback_of(model)
    if suggested is None:
        return Choice(rule, fallback, threshold=threshold)
    natural, least = threshold_by(suggested, gathered.scores), rules.settings.minimum_events
    why = why_held(threshold, natural, gathered.scores, incidents=gathered.incidents, minimum_events=least)
    if why is None:
        return Choice(rule, fallback, threshold=threshold)
    moved = "raised" if threshold > natural else "lowered"
    note = f"held at {natural:g}, which the score suggests, and not {moved} to {threshold:g} by {rule.name}: {why}"
    return Choice(rule, fallback, threshold=natural, notes=(note,))


def threshold_by(rule: ThresholdRule, scores: ScoreEvidence) -> float:
    """The threshold that a rule chooses; raises `DataError` when it is not a finite number."""
    chosen = rule.choose(scores)
    try:
        threshold = float(chosen)
    except (TypeError, ValueError):
        threshold = math.nan
    if not math.isfinite(threshold):
        raise DataError(f"the rule {rule.name!r}{whose(rule)} chose {chosen!r}, which is no threshold")
    return threshold


def rule_for(rules: Rules, model: ModelRow, gathered: Evidence) -> tuple[ThresholdRule, bool]:
    """The rule that chooses a model's threshold, and whether it is the fallback."""
    too_few = len(gathered.scores.proliv) < rules.settings.minimum_proliv
    if too_few and rules.explicit and rules.rule.name == rules.fallback.name:
        return rules.fallback, True
    if too_few and not rules.explicit:
        # What the score itself suggests is better than a quantile of normal scores, which knows nothing of proliv.
        return rules.fallback_of(model) or rules.fallback, True
    return rules.rule, False
