"""Changes of thresholds: chosen by a rule, guarded, recorded; by hand, on request, or every night.

Every way to a new threshold leads through here, so that each is guarded the same and each leaves a row that says what
it was chosen from. A refused one is kept with its reason, and the active one stands.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from monitor import evidence, guard, models
from monitor.api import ScoreEvidence
from monitor.calibration import make_rule
from monitor.decision import NORMAL_SCORES, PROLIV_SCORES
from monitor.errors import ConfigurationError, DataError, EvidenceMissingError, MonitorError, NoModelError, StoreError
from monitor.evaluation import evaluate
from monitor.guard import Refusal, Refused
from monitor.paths import to_text
from monitor.store import calibrations, queries, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.api import ScoreArray, ThresholdRule
    from monitor.config import Calibration, Configuration
    from monitor.evaluation import Evaluation
    from monitor.evidence import Evidence
    from monitor.registry import Registry
    from monitor.store.calibrations import CalibrationRow, Origin, ReferenceRow, State
    from monitor.store.engine import Database
    from monitor.store.queries import ModelRow

log = logging.getLogger(__name__)

SAME: Final = 1e-9
"""Thresholds whose relative difference is below this are the same."""

LARGE_LOSS: Final = 0.02
"""A change that costs a larger share of all labelled crops of a class is told of."""

Result = Literal["activated", "unchanged", "shadow", "refused"]
Record: TypeAlias = "Callable[[Connection], object]"


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
            trained_on=lambda row: models.training_digests(configuration.models, row),
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
class By:
    """Who wants a change, when and why: ``accept`` switches the guard off, ``run_id`` is that of a scheduled run."""

    now: datetime
    origin: Origin
    run_id: int | None = None
    accept: bool = False
    author: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one model's threshold; ``threshold`` is the one that was chosen, none where none was.

    ``before``: the threshold that was active before, if any. ``reason``: why it was refused, or what is being waited
    for. ``notes``: what a person should know of the evidence, also what was set aside. ``evaluation``: the chosen
    threshold on the very crops that it was chosen from, each counted once whatever it weighs.
    """

    model: ModelRow
    result: Result
    before: float | None
    threshold: float | None
    rule: str
    fallback: bool = False
    refusal: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class Chosen:
    """A threshold that a rule chose, by the fallback or not, or why it chose none."""

    rule: ThresholdRule
    fallback: bool
    threshold: float | None = None
    refused: Refused | None = None


def calibrate(
    database: Database, model: ModelRow, rules: Rules, given: Sequence[ReferenceRow], by: By, *, data: Path
) -> Outcome:
    """Choose a model's threshold from a labelled folder's scores and all labels, and activate the model with it.

    Raises what the rule raises. The folder's scores are kept for the nights to come, unless the guard refuses.
    """

    def choose_or_raise(gathered: Evidence) -> Chosen:
        rule, fallback = _rule(rules, gathered)
        return Chosen(rule, fallback, threshold=chosen_by(rule, gathered.scores))

    def record(connection: Connection) -> None:
        calibrations.replace_references(connection, model.id, given)
        row = queries.find_model(connection, model.name)
        if not row.active:
            queries.activate_model(connection, row)

    return _change(
        database,
        model,
        rules.settings,
        by,
        choose_or_raise,
        given=given,
        data=data,
        trained_on=rules.trained_on(model),
        on_activated=record,
    )


def recalibrate(
    database: Database, rules: Rules, by: By, *, dry_run: bool = False, names: Sequence[str] = ()
) -> list[Outcome]:
    """Choose a threshold for every active model, or the named ones, from all that is stored; each by itself."""
    with database.read() as connection:
        rows = [queries.find_model(connection, name) for name in names] or queries.active_models(connection)
    for row in rows:
        if row.threshold is None:
            raise NoModelError(f"{row.name} has no threshold yet: monitor calibrate --model {row.name} --data DIR")
    outcomes, failures = [], []
    for row in rows:
        try:
            trained_on = rules.trained_on(row)
            outcomes.append(
                _change(
                    database,
                    row,
                    rules.settings,
                    by,
                    lambda one: choose(rules, one),
                    dry_run=dry_run,
                    trained_on=trained_on,
                )
            )
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one model's trouble must not keep the others from theirs
            failures.append(error)
    if failures:
        raise failures[0]
    return outcomes


def set_threshold(database: Database, model: ModelRow, rule: ThresholdRule, settings: Calibration, by: By) -> Outcome:
    """Make a threshold by hand, which ``rule`` holds, the active one, unless the guard refuses it."""
    return _change(
        database, model, settings, by, lambda one: Chosen(rule, fallback=False, threshold=rule.choose(one.scores))
    )


def choose(rules: Rules, gathered: Evidence) -> Chosen:
    """Let the rule choose, or the fallback where there is too little proliv; whatever fails becomes a refusal."""
    rule, fallback = _rule(rules, gathered)
    scores = gathered.scores
    refused = guard.counts(len(scores.normal), evidence.effective(scores.normal_weights), rules.settings)
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


def _rule(rules: Rules, gathered: Evidence) -> tuple[ThresholdRule, bool]:
    """The rule that is to choose, and whether it is the fallback."""
    too_few = len(gathered.scores.proliv) < rules.settings.minimum_proliv
    if too_few and (not rules.explicit or rules.rule.name == rules.fallback.name):
        return rules.fallback, True
    return rules.rule, False


def _change(
    database: Database,
    model: ModelRow,
    settings: Calibration,
    by: By,
    choose_from: Callable[[Evidence], Chosen],
    *,
    dry_run: bool = False,
    given: Sequence[ReferenceRow] | None = None,
    data: Path | None = None,
    trained_on: Collection[str] = (),
    on_activated: Record = lambda _: None,
) -> Outcome:
    """Judge a change of one model's threshold and, unless it is a dry run, record it."""
    while True:
        # The evidence is read in a transaction of its own, so that the lock for writing is held for the record alone.
        with database.read() as connection:
            active = calibrations.active(connection, model.id)
            done = _done(connection, model, active, by.run_id)
            if done is not None:
                return done
            # To accept a threshold is not to accept labels; only who asks for a choice anew has looked at them.
            accept = by.accept and by.origin == "recalibrate"
            gathered = evidence.gather(
                connection, model.id, settings, now=by.now, accept=accept, given=given, trained_on=trained_on
            )
            trial = calibrations.shadow(connection, model.id)
            by_rule = by.origin in ("nightly", "recalibrate")
            if active is not None and trial is not None and by_rule and not by.accept:
                outcome, record = _judge_trial(connection, model, active, trial, gathered, settings, by)
            else:
                rolled_back = calibrations.newest(connection, model.id, "rolled_back")
                judged = _Judged(model, active, rolled_back, choose_from(gathered), gathered, settings, by, data)
                outcome, record = judged.outcome(), judged.record
        if dry_run:
            return outcome
        with database.write() as connection:
            present = calibrations.active(connection, model.id), calibrations.shadow(connection, model.id)
            if _ids(*present) == _ids(active, trial):
                record(connection)
                if outcome.result == "activated":
                    on_activated(connection)
                return outcome
        log.info("%s: its threshold was changed meanwhile; it is judged again", model.name)


def _ids(*rows: CalibrationRow | None) -> list[int | None]:
    return [None if row is None else row.id for row in rows]


def _done(connection: Connection, model: ModelRow, active: CalibrationRow | None, run_id: int | None) -> Outcome | None:
    """What the same scheduled run did to the model before it was interrupted, if anything."""
    if run_id is None:
        return None
    row = calibrations.of_run(connection, model.id, run_id)
    if row is None and active is not None and active.evidence.get("promoted_by_run") == run_id:
        row = active
    if row is None:
        return None
    results: dict[str, Result] = {"refused": "refused", "shadow": "shadow"}
    result = results.get(row.state, "activated")
    return Outcome(model, result, None, row.threshold, row.rule, row.fallback, row.refusal, row.reason)


@dataclass(frozen=True)
class _Judged:
    """A chosen threshold held against the active one."""

    model: ModelRow
    active: CalibrationRow | None
    rolled_back: CalibrationRow | None
    chosen: Chosen
    gathered: Evidence
    settings: Calibration
    by: By
    data: Path | None

    @property
    def before(self) -> float | None:
        return self.active.threshold if self.active else None

    def outcome(self) -> Outcome:
        chosen, by = self.chosen, self.by
        refused = chosen.refused or self._refused()
        result: Result = "activated"
        reason = by.reason
        if refused is not None:
            said = f" (wanted: {by.reason})" if by.reason else ""
            result, reason = "refused", f"{refused.sentence}{said}"
        elif self._unchanged():
            result = "unchanged"
        elif self.settings.shadow and self.active and by.origin in ("nightly", "recalibrate") and not by.accept:
            until = by.now + timedelta(days=self.settings.shadow_days)
            result, reason = "shadow", f"tried beside the active one until {until:%Y-%m-%d %H:%M} UTC"
        return Outcome(
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
            now=self.by.now,
            state=states[outcome.result],
            origin=self.by.origin,
            reason=outcome.reason,
            author=self.by.author,
            fallback=outcome.fallback,
            refusal=outcome.refusal,
            run_id=self.by.run_id,
        )

    def _unchanged(self) -> bool:
        if self.active is None or self.before is None or self.chosen.threshold is None:
            return False
        same = abs(self.chosen.threshold - self.before) <= SAME * abs(self.before)
        # What was accepted has to be stored even where it moves nothing.
        by_itself = self.by.origin == "nightly" or (self.by.origin == "recalibrate" and not self.by.accept)
        return same and by_itself and self.chosen.fallback == self.active.fallback

    def _refused(self) -> Refused | None:
        threshold = self.chosen.threshold
        if threshold is None or self.before is None or self.by.accept or self._unchanged():
            return None
        if self.chosen.fallback and self._had_enough_proliv():
            return guard.fallback(len(self.gathered.scores.proliv), self.settings)
        if self.by.origin == "nightly" and self._came_back(threshold, self.before):
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

    def _evidence(self, outcome: Outcome) -> dict[str, Any]:
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
        return evidence.percentiles(scores, weights) or list(before or [])


def _judge_trial(
    connection: Connection,
    model: ModelRow,
    active: CalibrationRow,
    trial: CalibrationRow,
    gathered: Evidence,
    settings: Calibration,
    by: By,
) -> tuple[Outcome, Record]:
    """Whether the trial of a threshold in the shadow is over, and how it went."""
    assert active.threshold is not None  # by the table's check
    assert trial.threshold is not None
    until = trial.created_at + timedelta(days=settings.shadow_days)
    seen = replay.replay(connection, model.id, trial.threshold, replay.Span(since=trial.created_at))
    outcome = Outcome(
        model=model,
        result="shadow",
        before=active.threshold,
        threshold=trial.threshold,
        rule=trial.rule,
        fallback=trial.fallback,
        reason=f"tried beside the active one until {until:%Y-%m-%d %H:%M} UTC; of {seen.crops} crops since, it would "
        f"turn {seen.to_proliv} into proliv and {seen.to_ne_proliv} into ne_proliv",
        notes=(*gathered.set_aside, *gathered.notes),
    )
    if trial.created_at > by.now:
        code, sentence = Refusal.WITHDRAWN.value, "it began in the future: a clock ran ahead"
        outcome = replace(outcome, result="refused", refusal=code, reason=sentence)
        return outcome, lambda connection: calibrations.refuse(connection, trial, code, sentence, {}, by.now)
    if settings.shadow and (by.now < until or not seen.crops):
        return outcome, lambda _: None
    tried: dict[str, Any] = {
        "shadow": {"until": by.now.isoformat(), **seen._asdict()},
        "promoted_by_run": by.run_id,
    }
    newest = [item for item in gathered.newest if item.crop and item.crop.recorded_at > trial.created_at]
    refused = guard.worse(trial.threshold, active.threshold, newest, settings)
    if refused is None:
        promoted = replace(outcome, result="activated", reason=None)
        return promoted, lambda connection: calibrations.promote(connection, trial, tried, by.now)
    code, sentence = refused.refusal.value, refused.sentence
    outcome = replace(outcome, result="refused", refusal=code, reason=sentence)
    return outcome, lambda connection: calibrations.refuse(connection, trial, code, sentence, tried, by.now)


def _measured(scores: ScoreEvidence, threshold: float) -> Evaluation:
    values = np.concatenate([scores.normal, scores.proliv])
    return evaluate(values, np.arange(len(values)) >= len(scores.normal), threshold)
