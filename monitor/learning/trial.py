"""Ends the trial of a model in the shadow: it takes the active one's place, or is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.errors import DataError, MonitorError
from monitor.labels.missing_scores import score_missing
from monitor.learning import checks, comparison
from monitor.learning.checks import Refused
from monitor.learning.outcome import Outcome
from monitor.models.folders import folder_of, verify
from monitor.scoring.ensemble import Ensemble, load
from monitor.store import models, retrainings
from monitor.store.labels import taken_back_since
from monitor.times import on_clock
from monitor.words import Unlearned

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.learning.outcome import Request
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.retrainings import RetrainingRow, Seen


def judge_trial(
    database: Database, registry: Registry, configuration: Configuration, trial: RetrainingRow, request: Request
) -> Outcome:
    """Decide whether a trial is over and how it went, and store it.

    The active model may be exchanged meanwhile by a person; then the trial is void.
    """
    with database.read() as connection:
        new, former, void = _rows(connection, trial, request.now)
        seen = retrainings.seen(connection, trial)
    if void is not None and not trial.by_hand:
        return _end(database, trial, (new, former), void, {}, request)
    if trial.by_hand:
        reason = (
            f"a person tries it, and ends that: monitor models activate {new.name}, or monitor models shadow "
            f"{new.name} --end; {_so_far(seen)}"
        )
        return Outcome.of(trial, new.name, former.name, reason)
    until = trial.created_at + timedelta(days=configuration.settings.learning.shadow_days)
    if request.now < until or not seen.crops:
        waits = "" if seen.crops else ", and until crops have come"
        reason = f"it scores beside {former.name} until {on_clock(until, request.zone)}{waits}; {_so_far(seen)}"
        return Outcome.of(trial, new.name, former.name, reason)
    try:
        loaded = tuple(load(registry, configuration, row) for row in (former, new))
    except MonitorError as error:
        return _end(database, trial, (new, former), Refused(Unlearned.WITHDRAWN, str(error)), {}, request)
    for one in loaded:
        score_missing(configuration, database, Ensemble((one,), "primary"))
    with database.read() as connection:
        pairs = comparison.labelled_pairs(
            connection, configuration.models, (former, new), configuration.settings.calibration, request.now
        )
    tried = {"shadow": {"until": request.now.isoformat(), **seen._asdict()}, "labelled": checks.rates(pairs)}
    return _end(database, trial, (new, former), checks.worse(pairs), tried, request)


def accept(
    database: Database, configuration: Configuration, name: str, *, now: datetime, author: str, why: str
) -> Outcome:
    """Let a model on trial, or one that was refused, take the active one's place because a person wants it.

    One of a detector that has no active model becomes active beside the others.

    Raises `DataError` when the model is no such one, and `ModelDamagedError` when it is not as it was trained.
    """
    with database.write() as connection:
        new = models.find_model(connection, name)
        row = retrainings.of_model(connection, new.id)
        if row is None or row.state not in ("shadow", "refused"):
            state = "did not come of a training from labels" if row is None else f"was {row.state} already"
            raise DataError(
                f"{new.name} {state}; to exchange the models all the same: monitor models activate {new.name}"
            )
        verify(folder_of(configuration.models, new), new.fingerprint)
        former = _active(connection, row.detector)
        models.take_over(connection, former, new, now)
        before = {"overruled": {"refusal": row.refusal, "reason": row.reason}} if row.refusal else {}
        row = retrainings.end(connection, row, "accepted", now=now, evidence=before, reason=why, author=author)
    return Outcome.of(row, new.name, former.name if former else "none")


def _so_far(seen: Seen) -> str:
    return (
        f"of {seen.crops} crops since, it would call {seen.proliv} proliv; "
        f"{seen.otherwise} would be decided differently"
    )


def _rows(connection: Connection, trial: RetrainingRow, now: datetime) -> tuple[ModelRow, ModelRow, Refused | None]:
    """The new model and the one that it would replace, and why the trial is void, if it is."""
    by_id = {row.id: row for row in models.all_models(connection)}
    assert trial.model_id is not None  # by the table's check
    new, former = by_id[trial.model_id], by_id[trial.replaces_id]
    why = None
    if trial.created_at > now:
        why = "its trial began in the future: a clock ran ahead"
    elif new.active or not former.active:
        why = f"the active model is no longer {former.name}, with which it was compared"
    elif taken_back_since(connection, trial.created_at):
        why = "labels that it may have learned from were taken back since"
    return new, former, None if why is None else Refused(Unlearned.WITHDRAWN, why)


def _end(
    database: Database,
    trial: RetrainingRow,
    rows: tuple[ModelRow, ModelRow],
    refused: Refused | None,
    tried: dict[str, Any],
    request: Request,
) -> Outcome:
    new, former = rows
    with database.write() as connection:
        present = retrainings.shadow(connection, trial.detector)
        active = _active(connection, trial.detector)
        if refused is None and (present is None or present.id != trial.id or active is None or active.id != former.id):
            refused = Refused(Unlearned.WITHDRAWN, "the models were exchanged while it was judged")
        if refused is None:
            models.take_over(connection, former, new, request.now)
            row = retrainings.end(connection, trial, "accepted", now=request.now, evidence=tried)
        else:
            code, sentence = refused.refusal.value, refused.sentence
            row = retrainings.end(
                connection, trial, "refused", now=request.now, evidence=tried, refusal=code, reason=sentence
            )
    return Outcome.of(row, new.name, former.name)


def _active(connection: Connection, detector: str) -> ModelRow | None:
    return next((row for row in models.active_models(connection) if row.detector == detector), None)
