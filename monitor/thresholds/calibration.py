"""Changes thresholds: from labelled folders, every night or on request by a rule, or by hand.

Every new threshold comes through here, so that each is guarded in the same way and leaves a row that says what it was
chosen from. A refused one is kept with its reason, and the active one stays.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from monitor.errors import NoModelError, StoreError
from monitor.store import calibrations, models
from monitor.store.references import replace_references
from monitor.thresholds.change import Change
from monitor.thresholds.choice import Choice, choose_or_raise, choose_threshold
from monitor.thresholds.gather import NOTHING_SEEN, gather_evidence
from monitor.thresholds.judgement import Judgement
from monitor.thresholds.trial import judge_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.api import ThresholdRule
    from monitor.configuration.settings import Calibration
    from monitor.models.folders import TrainedOn
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRow
    from monitor.thresholds.change import ChangeRequest, Record, Result
    from monitor.thresholds.evidence import Evidence
    from monitor.thresholds.rules import Rules

log = logging.getLogger(__name__)


def calibrate(
    database: Database,
    model: ModelRow,
    rules: Rules,
    given: Sequence[ReferenceRow],
    request: ChangeRequest,
    *,
    data: Path,
    activate: bool | None = None,
    dry_run: bool = False,
) -> Change:
    """Choose a model's threshold from a labelled folder's scores and all labels.

    ``activate``: whether the model becomes its detector's active one, and the primary; by default only where the
    detector has no active model. Raises what the rule raises. The folder's scores are kept for later nights, unless the
    guard refuses the threshold.
    """

    def keep(connection: Connection) -> None:
        replace_references(connection, model.id, given)
        if _activates(connection, model, activate):
            models.activate_model(connection, models.find_model(connection, model.name))

    with database.read() as connection:
        activates = _activates(connection, model, activate)
    change = _change(
        database,
        model,
        rules.settings,
        request,
        partial(choose_or_raise, rules, model),
        dry_run=dry_run,
        given=given,
        data=data,
        trained_on=rules.trained_on(model),
        on_activated=keep,
    )
    return replace(change, activates=activates and change.result == "activated")


def _activates(connection: Connection, model: ModelRow, activate: bool | None) -> bool:
    """Whether a new threshold activates its model too; by default where no model of the detector is active."""
    if activate is not None:
        return activate
    return all(row.detector != model.detector for row in models.active_models(connection))


def recalibrate(
    database: Database, rules: Rules, request: ChangeRequest, *, dry_run: bool = False, names: Sequence[str] = ()
) -> list[Change]:
    """Choose a threshold for every active model, or the named ones, from all that is stored.

    One model's failure does not stop the others; the first one is raised at the end.
    """
    with database.read() as connection:
        rows = [models.find_model(connection, name) for name in names] or models.active_models(connection)
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
                    request,
                    partial(choose_threshold, rules, row),
                    dry_run=dry_run,
                    trained_on=trained_on,
                )
            )
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a third party's plug-in may raise anything
            failures.append(error)
    if failures:
        raise failures[0]
    return outcomes


def set_threshold(
    database: Database, model: ModelRow, rule: ThresholdRule, settings: Calibration, request: ChangeRequest
) -> Change:
    """Activate a threshold that a person has set, which ``rule`` gives, unless the guard refuses it."""
    return _change(
        database,
        model,
        settings,
        request,
        lambda gathered: Choice(rule, fallback=False, threshold=rule.choose(gathered.scores)),
    )


def _change(
    database: Database,
    model: ModelRow,
    settings: Calibration,
    request: ChangeRequest,
    choose_from: Callable[[Evidence], Choice],
    *,
    dry_run: bool = False,
    given: Sequence[ReferenceRow] | None = None,
    data: Path | None = None,
    trained_on: TrainedOn = NOTHING_SEEN,
    on_activated: Record = lambda _: None,
) -> Change:
    """Judge a change of one model's threshold and, unless it is a dry run, store it."""
    while True:
        # The evidence is read in a transaction of its own, so that the lock for writing is held only while storing. The
        # rule chooses after it: it may take its time, and meanwhile SQLite's log could not be emptied.
        with database.read() as connection:
            active = calibrations.active(connection, model.id)
            done = _done(connection, model, active, request.run_id)
            if done is not None:
                return done
            gathered = _gathered(connection, model, settings, request, given=given, trained_on=trained_on)
            trial = calibrations.shadow(connection, model.id)
            by_rule = request.origin in ("nightly", "recalibrate")
            judged = None
            if active is not None and trial is not None and by_rule and not request.accept:
                judged = judge_trial(connection, model, active, trial, gathered, settings, request)
            rolled_back = calibrations.newest(connection, model.id, "rolled_back")
        if judged is None:
            choice = choose_from(gathered)
            judgement = Judgement(model, active, rolled_back, choice, gathered, settings, request, data)
            judged = judgement.outcome(), judgement.record
        outcome, record = judged
        if dry_run:
            return outcome
        with database.write() as connection:
            present = calibrations.active(connection, model.id), calibrations.shadow(connection, model.id)
            if _ids(*present) == _ids(active, trial):
                record(connection)
                if outcome.result == "activated":
                    on_activated(connection)
                return outcome
        log.info("%s: its threshold was changed meanwhile; the new one is judged again", model.name)


def _gathered(
    connection: Connection,
    model: ModelRow,
    settings: Calibration,
    request: ChangeRequest,
    *,
    given: Sequence[ReferenceRow] | None,
    trained_on: TrainedOn,
) -> Evidence:
    # To accept a threshold is not to accept labels; only a person who asks for a new choice has looked at them.
    accept = request.accept and request.origin == "recalibrate"
    return gather_evidence(
        connection,
        model.id,
        settings,
        now=request.now,
        accept=accept,
        accepted_until=request.floods_accepted_until,
        given=given,
        trained_on=trained_on,
        zone=request.zone,
    )


def _ids(*rows: CalibrationRow | None) -> list[int | None]:
    return [None if row is None else row.id for row in rows]


def _done(connection: Connection, model: ModelRow, active: CalibrationRow | None, run_id: int | None) -> Change | None:
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
    return Change(model, result, None, row.threshold, row.rule, row.fallback, row.refusal, row.reason)
