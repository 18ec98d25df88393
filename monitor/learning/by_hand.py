"""A model that a person tries in the shadow: whatever it came of, it scores every crop and decides nothing.

Only a person ends such a trial, by making the model active or by taking it out of the shadow. Meanwhile no model of its
detector is trained from labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.errors import DataError, NoModelError
from monitor.scoring.ensemble import load_model
from monitor.scoring.vote import deciding
from monitor.store import models, retrainings
from monitor.words import Unlearned

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.retrainings import Seen


class Trial(NamedTuple):
    """A model in the shadow, and the active one beside which it scores.

    ``since``: in UTC. ``seen``: what it scored since then. ``author``: the person who tries it, if one does.
    """

    model: str
    beside: str
    since: datetime
    by_hand: bool
    author: str | None
    seen: Seen


def begin(
    database: Database, registry: Registry, configuration: Configuration, name: str, *, now: datetime, author: str
) -> Trial:
    """Put a model in the shadow; it has to have a threshold, so that one knows what it would decide.

    Raises `NoModelError` when it has none, or when no model decides; `DataError` when it decides already or another
    one of its detector is on trial; and another `MonitorError` when it cannot be loaded.
    """
    with database.read() as connection:
        _require_trial_possible(connection, models.find_model(connection, name))
    load_model(database, registry, configuration, name)
    with database.write() as connection:
        model = models.find_model(connection, name)
        _require_trial_possible(connection, model)
        beside = _beside(connection, model, configuration)
        newest = retrainings.newest(connection, model.detector)
        row = retrainings.add(
            connection,
            detector=model.detector,
            model_id=model.id,
            replaces_id=beside.id,
            state="shadow",
            evidence={retrainings.BY_HAND: True},
            now=now,
            # A training that follows counts the labels since the one before, as if there had been no trial.
            labels_until=newest.labels_until if newest else None,
            author=author,
        )
        return Trial(model.name, beside.name, row.created_at, True, author, retrainings.seen(connection, row))


def end(database: Database, name: str, *, now: datetime, author: str) -> Trial:
    """Take a model out of the shadow, also one that labels made; raises `DataError` when it is not there."""
    with database.write() as connection:
        model = models.find_model(connection, name)
        trials = {row.model_id: row for row in retrainings.shadows(connection)}
        if model.id not in trials:
            raise DataError(f"{model.name} is not in the shadow; those that are: monitor models shadow")
        row = trials[model.id]
        seen = retrainings.seen(connection, row)
        retrainings.end(
            connection,
            row,
            "refused",
            now=now,
            evidence={"shadow": {"until": now.isoformat(), **seen._asdict()}},
            refusal=Unlearned.WITHDRAWN.value,
            reason=f"{author} ended its trial",
            author=author,
        )
        by_id = {one.id: one.name for one in models.all_models(connection)}
        return Trial(model.name, by_id[row.replaces_id], row.created_at, row.by_hand, author, seen)


def running(connection: Connection) -> list[Trial]:
    """All models in the shadow, the one that was put there last first."""
    by_id = {one.id: one.name for one in models.all_models(connection)}
    return [
        Trial(
            by_id[row.model_id],
            by_id[row.replaces_id],
            row.created_at,
            row.by_hand,
            row.author,
            retrainings.seen(connection, row),
        )
        for row in retrainings.shadows(connection)
        if row.model_id is not None
    ]


def _require_trial_possible(connection: Connection, model: ModelRow) -> None:
    if model.active:
        raise DataError(
            f"{model.name} is the active model of the detector {model.detector!r}, so it decides; only another can be "
            "tried beside it"
        )
    if model.threshold is None:
        raise NoModelError(
            f"{model.name} has no threshold yet, so it would decide nothing; choose it: monitor calibrate --model "
            f"{model.name} --data DIR --no-activate"
        )
    trial = retrainings.shadow(connection, model.detector)
    if trial is not None:
        on_trial = next(one for one in models.all_models(connection) if one.id == trial.model_id)
        which = "it" if on_trial.id == model.id else on_trial.name
        raise DataError(
            f"{model.name}: {which} is in the shadow already, and there is room for one model of each detector; end "
            f"that first: monitor models shadow {on_trial.name} --end"
        )


def _beside(connection: Connection, model: ModelRow, configuration: Configuration) -> ModelRow:
    """The active model of the same detector, or else the one that decides first."""
    active = models.active_models(connection)
    own = [row for row in active if row.detector == model.detector]
    found = own or deciding(active, configuration.settings.decision.detectors)
    if not found:
        raise NoModelError(
            f"no model decides that {model.name} could be tried beside; to let it decide: monitor models activate "
            f"{model.name}"
        )
    return found[0]
