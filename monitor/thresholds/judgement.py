"""Compares a chosen threshold with the active one: what becomes of it, and what is stored of it.

The formulas are in `monitor.thresholds.guard`; this is where they are applied, and in which order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.files.text import to_text
from monitor.formulas.rates import evaluate
from monitor.formulas.weights import percentiles
from monitor.scoring.vote import NORMAL_SCORES, PROLIV_SCORES
from monitor.store import calibrations
from monitor.thresholds import guard
from monitor.thresholds.actions import largest_action
from monitor.thresholds.change import Change
from monitor.thresholds.evidence import scores_by_label
from monitor.thresholds.guard import Refused
from monitor.times import on_clock
from monitor.words import Label, Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.api import ScoreArray, ScoreEvidence
    from monitor.configuration.settings import Calibration
    from monitor.formulas.rates import Evaluation
    from monitor.store.calibrations import CalibrationRow, State
    from monitor.store.models import ModelRow
    from monitor.thresholds.change import ChangeRequest, Result
    from monitor.thresholds.choice import Choice
    from monitor.thresholds.evidence import Evidence
    from monitor.thresholds.guard import Loss

# Thresholds whose relative difference is at most this are the same.
SAME: Final = 1e-9


@dataclass(frozen=True)
class Judgement:
    """A chosen threshold beside the active one, with all that decides between them.

    ``rolled_back``: the newest calibration that was rolled back, if any. ``data``: the labelled folder that the
    references were read from, if any.
    """

    model: ModelRow
    active: CalibrationRow | None
    rolled_back: CalibrationRow | None
    chosen: Choice
    gathered: Evidence
    settings: Calibration
    request: ChangeRequest
    data: Path | None

    @property
    def before(self) -> float | None:
        """The threshold that is active, if any."""
        return self.active.threshold if self.active else None

    def outcome(self) -> Change:
        """What becomes of the chosen threshold, and why."""
        chosen, request = self.chosen, self.request
        refused = chosen.refused or self._refused()
        result: Result = "activated"
        reason = request.reason
        if refused is not None:
            said = f" (wanted: {request.reason})" if request.reason else ""
            result, reason = "refused", f"{refused.sentence}{said}"
        elif self._unchanged():
            result = "unchanged"
        elif self.settings.shadow and self.active and self._by_rule() and not request.accept:
            until = request.now + timedelta(days=self.settings.shadow_days)
            result, reason = "shadow", f"tried beside the active one until {on_clock(until, request.zone)}"
        return Change(
            model=self.model,
            result=result,
            before=self.before,
            threshold=chosen.threshold,
            rule=chosen.rule.name,
            fallback=chosen.fallback,
            refusal=refused.refusal.value if refused else None,
            reason=reason,
            notes=(*self.gathered.set_aside, *self.gathered.notes, *chosen.notes, *self._large_losses()),
            evaluation=None if chosen.threshold is None else _evaluate(self.gathered.scores, chosen.threshold),
        )

    def record(self, connection: Connection) -> None:
        """Store the outcome as a calibration; one that changes nothing leaves none."""
        outcome = self.outcome()
        if outcome.result == "unchanged":
            return
        states: dict[Result, State] = {"refused": "refused", "shadow": "shadow", "activated": "active"}
        calibrations.add(
            connection,
            model_id=self.model.id,
            rule=outcome.rule,
            settings=self.chosen.rule.settings.model_dump(mode="json"),
            threshold=outcome.threshold,
            evidence=self._evidence(outcome),
            now=self.request.now,
            state=states[outcome.result],
            origin=self.request.origin,
            reason=outcome.reason,
            author=self.request.author,
            fallback=outcome.fallback,
            refusal=outcome.refusal,
            run_id=self.request.run_id,
        )

    def _by_rule(self) -> bool:
        """Whether a rule chose from what is stored, by night or on request."""
        return self.request.origin in ("nightly", "recalibrate")

    def _unchanged(self) -> bool:
        if self.active is None or self.before is None or self.chosen.threshold is None:
            return False
        same = abs(self.chosen.threshold - self.before) <= SAME * abs(self.before)
        # What a person accepts has to be stored even where it does not move the threshold.
        accepted = self.request.origin == "recalibrate" and self.request.accept
        return same and self._by_rule() and not accepted and self.chosen.fallback == self.active.fallback

    def _refused(self) -> Refused | None:
        threshold = self.chosen.threshold
        if threshold is None or self.before is None or self.request.accept or self._unchanged():
            return None
        if self.chosen.fallback and self._had_enough_proliv():
            return guard.too_few_proliv(len(self.gathered.scores.proliv), self.settings)
        if self.request.origin == "nightly" and self._came_back(threshold, self.before):
            return Refused(
                Refusal.ROLLED_BACK,
                f"the new threshold {threshold:.6g} is about the one that was rolled back, and nothing has been "
                "labelled since; label the crops that it decided wrongly",
            )
        newest = scores_by_label(self.gathered.newest)
        return (
            guard.large_jump(threshold, self.before, self.settings)
            or guard.worse(threshold, self.before, newest, self.settings)
            or guard.too_costly(threshold, self.before, self.gathered.scores, self.settings)
            or self._one_action()
        )

    def _one_action(self) -> Refused | None:
        """Refuse what one action of labelling would change; a threshold set by hand follows from no label."""
        if self.request.origin == "set":
            return None
        # Labels of one class move a threshold to the cost of the other class.
        for lost, given in ((Label.PROLIV, Label.NE_PROLIV), (Label.NE_PROLIV, Label.PROLIV)):
            action = largest_action(
                self.gathered.newest, given, gap_seconds=self.settings.event_gap_seconds, zone=self.request.zone
            )
            refused = guard.one_action(self._losses()[lost], lost, action, self.settings)
            if refused is not None:
                return refused
        return None

    def _losses(self) -> dict[Label, Loss]:
        """What the chosen threshold loses of all labelled crops; nothing where there is none before it."""
        if self.chosen.threshold is None or self.before is None:
            return {}
        return guard.losses(self.chosen.threshold, self.before, scores_by_label(self.gathered.items))

    def _had_enough_proliv(self) -> bool:
        """Whether the active threshold was chosen with enough proliv; older calibrations, which do not say, were."""
        enough = self.settings.minimum_proliv
        return self.active is not None and self.active.evidence.get("proliv_crops", enough) >= enough

    def _came_back(self, threshold: float, before: float) -> bool:
        """Whether it is nearer to the threshold that was rolled back than to the active one, with no label since."""
        left = self.rolled_back
        if left is None or left.threshold is None or left.ended_at is None:
            return False
        labelled_since = self.gathered.labels_until is not None and self.gathered.labels_until > left.ended_at
        return abs(threshold - left.threshold) < abs(threshold - before) and not labelled_since

    def _large_losses(self) -> list[str]:
        """What the change costs on all labelled crops, where that is much."""
        return [
            f"of all {loss.of} labelled {label.value} crops it decides {loss.lost} wrongly that the threshold "
            f"{self.before:.6g} decides correctly"
            for label, loss in self._losses().items()
            if loss.is_large
        ]

    def _evidence(self, outcome: Change) -> dict[str, Any]:
        """What a calibration keeps of its evidence."""
        gathered, scores = self.gathered, self.gathered.scores
        references = sum(item.crop is None for item in gathered.items)
        losses = {}
        if outcome.threshold is not None and self.before is not None:
            losses = guard.losses(outcome.threshold, self.before, scores_by_label(gathered.newest))
        return {
            **(outcome.evaluation.as_dict() if outcome.evaluation else {}),
            NORMAL_SCORES: self._percentiles(NORMAL_SCORES, scores.normal, scores.normal_weights),
            PROLIV_SCORES: self._percentiles(PROLIV_SCORES, scores.proliv, scores.proliv_weights),
            "data": None if self.data is None else to_text(self.data.absolute()),
            "normal_crops": len(scores.normal),
            "proliv_crops": len(scores.proliv),
            "proliv_events": gathered.incidents,
            "references": references,
            "labelled": len(gathered.items) - references,
            "newest": {label.value: asdict(loss) for label, loss in losses.items()},
            "all": {label.value: asdict(loss) for label, loss in self._losses().items()},
            "crops_per_week": scores.crops_per_week,
            "set_aside": gathered.set_aside,
            "notes": [*gathered.notes, *self.chosen.notes],
            "accepted_until": gathered.accepted_until.isoformat() if gathered.accepted_until else None,
        }

    def _percentiles(self, key: str, scores: ScoreArray, weights: ScoreArray) -> list[float]:
        """The percentiles of a class; where it has no crops, those that the active calibration keeps."""
        before = self.active.evidence.get(key) if self.active else None
        return percentiles(scores, weights) or list(before or [])


def _evaluate(scores: ScoreEvidence, threshold: float) -> Evaluation:
    values = np.concatenate([scores.normal, scores.proliv])
    return evaluate(values, np.arange(len(values)) >= len(scores.normal), threshold)
