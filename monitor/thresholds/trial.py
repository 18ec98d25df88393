"""Ends the trial of a threshold in the shadow: it becomes the active one, or is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.store import calibrations, replay
from monitor.store.labels import taken_back_since
from monitor.thresholds import guard
from monitor.thresholds.change import Change
from monitor.thresholds.evidence import scores_by_label
from monitor.thresholds.guard import Refused
from monitor.times import on_clock
from monitor.words import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Calibration
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow
    from monitor.thresholds.change import ChangeRequest, Record
    from monitor.thresholds.evidence import Evidence


def judge_trial(
    connection: Connection,
    model: ModelRow,
    active: CalibrationRow,
    trial: CalibrationRow,
    gathered: Evidence,
    settings: Calibration,
    request: ChangeRequest,
) -> tuple[Change, Record]:
    """Decide whether a trial is over, and how it went; returns the outcome and what stores it."""
    assert active.threshold is not None  # by the table's check
    assert trial.threshold is not None
    until = trial.created_at + timedelta(days=settings.shadow_days)
    seen = replay.replay(connection, model.id, trial.threshold, replay.Span(trial.created_at, in_operation=True))
    waiting = Change(
        model=model,
        result="shadow",
        before=active.threshold,
        threshold=trial.threshold,
        rule=trial.rule,
        fallback=trial.fallback,
        reason=f"tried beside the active one until {on_clock(until, request.zone)}; of {seen.crops} crops since, it "
        f"would turn {seen.to_proliv} into proliv and {seen.to_ne_proliv} into ne_proliv",
        notes=(*gathered.set_aside, *gathered.notes),
    )
    if trial.created_at > request.now:
        ahead = Refused(Refusal.WITHDRAWN, "it began in the future: a clock ran ahead")
        return _refuse(waiting, trial, ahead, {}, request)
    if taken_back_since(connection, trial.created_at):
        undone = Refused(Refusal.WITHDRAWN, "labels that it may have been chosen from were taken back since")
        return _refuse(waiting, trial, undone, {}, request)
    if settings.shadow and (request.now < until or not seen.crops):
        return waiting, lambda _: None
    tried: dict[str, Any] = {
        "shadow": {"until": request.now.isoformat(), **seen._asdict()},
        "promoted_by_run": request.run_id,
    }
    newest = [item for item in gathered.newest if item.crop and item.crop.recorded_at > trial.created_at]
    refused = guard.worse(trial.threshold, active.threshold, scores_by_label(newest), settings) or guard.too_costly(
        trial.threshold, active.threshold, gathered.scores, settings
    )
    if refused is not None:
        return _refuse(waiting, trial, refused, tried, request)
    promoted = replace(waiting, result="activated", reason=None)
    return promoted, lambda connection: calibrations.promote(connection, trial, tried, request.now)


def _refuse(
    waiting: Change, trial: CalibrationRow, refused: Refused, tried: Mapping[str, Any], request: ChangeRequest
) -> tuple[Change, Record]:
    code, sentence = refused.refusal.value, refused.sentence
    outcome = replace(waiting, result="refused", refusal=code, reason=sentence)
    return outcome, lambda connection: calibrations.refuse(connection, trial, code, sentence, tried, request.now)
