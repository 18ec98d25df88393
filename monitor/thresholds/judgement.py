"""A chosen threshold, or one on trial in the shadow, held against the active one: what becomes of it, and its row.

Formulas are in `monitor.thresholds.guard`; this is where they are asked, in their order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.files.text import to_text
from monitor.formulas import weights as formulas_weights
from monitor.formulas.rates import evaluate
from monitor.scoring.vote import NORMAL_SCORES, PROLIV_SCORES
from monitor.store import calibrations
from monitor.thresholds import guard
from monitor.thresholds.change import Change
from monitor.thresholds.guard import Refusal, Refused

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

SAME: Final = 1e-9
"""Thresholds whose relative difference is below this are the same."""

LARGE_LOSS: Final = 0.02
"""A change that costs a larger share of all labelled crops of a class is told of."""


@dataclass(frozen=True)
class Judgement:
    """A chosen threshold held against the active one."""

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
        """What becomes of it, and why."""
        chosen, request = self.chosen, self.request
        refused = chosen.refused or self._refused()
        result: Result = "activated"
        reason = request.reason
        if refused is not None:
            said = f" (wanted: {request.reason})" if request.reason else ""
            result, reason = "refused", f"{refused.sentence}{said}"
        elif self._unchanged():
            result = "unchanged"
        elif (
            self.settings.shadow and self.active and request.origin in ("nightly", "recalibrate") and not request.accept
        ):
            until = request.now + timedelta(days=self.settings.shadow_days)
            result, reason = "shadow", f"tried beside the active one until {until:%Y-%m-%d %H:%M} UTC"
        return Change(
            model=self.model,
            result=result,
            before=self.before,
            threshold=chosen.threshold,
            rule=chosen.rule.name,
            fallback=chosen.fallback,
            refusal=refused.refusal.value if refused else None,
            reason=reason,
            notes=(*self.gathered.set_aside, *self.gathered.notes, *self._losses()),
            evaluation=None if chosen.threshold is None else _measured(self.gathered.scores, chosen.threshold),
        )

    def _losses(self) -> list[str]:
        """What a change costs on all of the evidence, which no guard refuses: old crops may rightly count no more."""
        if self.chosen.threshold is None or self.before is None:
            return []
        losses = guard.losses(self.chosen.threshold, self.before, self.gathered.items)
        return [
            f"of all {loss.of} labelled {label.value} crops it decides {loss.lost} wrongly that the threshold "
            f"{self.before:.6g} decides rightly"
            for label, loss in losses.items()
            if loss.lost > LARGE_LOSS * loss.of
        ]

    def record(self, connection: Connection) -> None:
        """Write its row; one that changes nothing leaves none."""
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

    def _unchanged(self) -> bool:
        if self.active is None or self.before is None or self.chosen.threshold is None:
            return False
        same = abs(self.chosen.threshold - self.before) <= SAME * abs(self.before)
        # What was accepted has to be stored even where it moves nothing.
        by_itself = self.request.origin == "nightly" or (
            self.request.origin == "recalibrate" and not self.request.accept
        )
        return same and by_itself and self.chosen.fallback == self.active.fallback

    def _refused(self) -> Refused | None:
        threshold = self.chosen.threshold
        if threshold is None or self.before is None or self.request.accept or self._unchanged():
            return None
        if self.chosen.fallback and self._had_enough_proliv():
            return guard.fallback(len(self.gathered.scores.proliv), self.settings)
        if self.request.origin == "nightly" and self._came_back(threshold, self.before):
            return Refused(
                Refusal.ROLLED_BACK,
                f"the new threshold {threshold:.6g} is about the one that was rolled back, and nothing was labelled "
                "since; label the crops that it decided wrongly",
            )
        return guard.jump(threshold, self.before, self.settings) or guard.worse(
            threshold, self.before, self.gathered.newest, self.settings
        )

    def _had_enough_proliv(self) -> bool:
        """Whether the active threshold was chosen with enough proliv; one from before that was kept track of was."""
        enough = self.settings.minimum_proliv
        return self.active is not None and self.active.evidence.get("proliv_crops", enough) >= enough

    def _came_back(self, threshold: float, before: float) -> bool:
        """Whether it is nearer the threshold that was rolled back than the active one, on the same labels as then."""
        left = self.rolled_back
        if left is None or left.threshold is None or left.ended_at is None:
            return False
        labelled_since = self.gathered.labels_until is not None and self.gathered.labels_until > left.ended_at
        return abs(threshold - left.threshold) < abs(threshold - before) and not labelled_since

    def _evidence(self, outcome: Change) -> dict[str, Any]:
        """What a calibration keeps of its evidence."""
        gathered, scores = self.gathered, self.gathered.scores
        references = sum(item.crop is None for item in gathered.items)
        losses = {}
        if outcome.threshold is not None and self.before is not None:
            losses = guard.losses(outcome.threshold, self.before, gathered.newest)
        return {
            **(outcome.evaluation.as_dict() if outcome.evaluation else {}),
            NORMAL_SCORES: self._percentiles(NORMAL_SCORES, scores.normal, scores.normal_weights),
            PROLIV_SCORES: self._percentiles(PROLIV_SCORES, scores.proliv, scores.proliv_weights),
            "data": None if self.data is None else to_text(self.data.absolute()),
            "normal_crops": len(scores.normal),
            "proliv_crops": len(scores.proliv),
            "proliv_events": gathered.events,
            "references": references,
            "labelled": len(gathered.items) - references,
            "newest": {label.value: asdict(loss) for label, loss in losses.items()},
            "crops_per_week": scores.crops_per_week,
            "set_aside": gathered.set_aside,
            "notes": gathered.notes,
            "accepted_until": gathered.accepted_until.isoformat() if gathered.accepted_until else None,
        }

    def _percentiles(self, key: str, scores: ScoreArray, weights: ScoreArray) -> list[float]:
        """Those of the evidence; where a class has no crop, those that the active calibration knows."""
        before = self.active.evidence.get(key) if self.active else None
        return formulas_weights.percentiles(scores, weights) or list(before or [])


def _measured(scores: ScoreEvidence, threshold: float) -> Evaluation:
    values = np.concatenate([scores.normal, scores.proliv])
    return evaluate(values, np.arange(len(values)) >= len(scores.normal), threshold)
