"""The active models, loaded, in the order in which they decide, and their final decision on each crop.

Models in the shadow are asked beside them, where the caller wants it, and have no part in the decision.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from monitor.errors import MonitorError, NoModelError
from monitor.models.loader import ModelLoader
from monitor.scoring.vote import FinalDecisions, ScoreScale, combine, deciding, describe, effective
from monitor.store import retrainings
from monitor.store.models import active_models, all_models, find_model, newest_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.configuration.settings import Decide
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.words import Label

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActiveModel:
    """A loaded model with the threshold that it decides by.

    ``score_scale``: where its scores lie on the crops of its calibration. ``row``: what is needed to load it once more,
    without the evidence of its calibration.
    """

    id: int
    name: str
    fingerprint: str
    detector: Detector
    threshold: float
    calibration_id: int
    score_scale: ScoreScale
    row: ModelRow


class Decision(NamedTuple):
    """One model's decision on one crop: proliv when ``score`` reaches ``threshold``."""

    model: ActiveModel
    mse: float
    score: float
    threshold: float
    verdict: Label


@dataclass(frozen=True)
class Ensemble:
    """The models that decide, the primary first, and how their decisions on a crop become one.

    ``shadows``: models on trial, which are asked as well and do not decide.
    """

    models: tuple[ActiveModel, ...]
    decide: Decide
    shadows: tuple[ActiveModel, ...] = ()

    @property
    def name(self) -> str:
        """The models' names, joined by ``+``."""
        return "+".join(model.name for model in self.models)

    @property
    def rule(self) -> str:
        """How the final decision is made, in words."""
        return describe(self.decide, [model.name for model in self.models])

    def final(self, scores: NDArray[np.float64], thresholds: NDArray[np.float64] | None = None) -> FinalDecisions:
        """The final decisions on N crops from the models' scores, float64 (N, M); NaN where a model refused a crop.

        ``thresholds``, float64 (N, M): those that decided at the time; without them, the models' current ones.
        """
        limits = self.thresholds if thresholds is None else thresholds
        return combine(self.decide, scores, limits, [model.score_scale for model in self.models])

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """float64 (M,): the models' thresholds."""
        return np.array([model.threshold for model in self.models])

    @property
    def asked(self) -> tuple[ActiveModel, ...]:
        """All models that score crops: those that decide, and behind them those in the shadow."""
        return self.models + self.shadows

    @property
    def detectors(self) -> dict[int, Detector]:
        """The detectors of all models that are asked, by the models' ids."""
        return {model.id: model.detector for model in self.asked}

    @property
    def model_ids(self) -> tuple[int, ...]:
        """The ids of all models that are asked."""
        return tuple(model.id for model in self.asked)


def load_active(
    database: Database, registry: Registry, configuration: Configuration, *, shadows: bool = False
) -> Ensemble:
    """Load the active models that decide by ``[decision]``; raises `NoModelError` when there is none.

    ``shadows``: also those in the shadow; one that cannot be loaded is left out with a warning.
    """
    rows = _deciding_rows(database, configuration)
    decide = effective(configuration.settings.decision.decide, len(rows))
    if decide == "rank-mean":
        _require_ranks(rows)
    models = tuple(load(registry, configuration, row) for row in rows)
    return Ensemble(models, decide, load_shadows(database, registry, configuration) if shadows else ())


def load_shadows(database: Database, registry: Registry, configuration: Configuration) -> tuple[ActiveModel, ...]:
    """Load the models in the shadow of those that decide; one that cannot be loaded is left out with a warning."""
    with database.read() as connection:
        rows = shadow_models(connection, configuration.settings.decision.detectors)
    found = []
    for row in rows:
        try:
            found.append(load(registry, configuration, row))
        except MonitorError as error:
            log.warning("%s; the model in the shadow is not asked", error)
    return tuple(found)


def shadow_models(connection: Connection, detectors: Sequence[str]) -> list[ModelRow]:
    """The models on trial beside active ones, in the order of their ids.

    Those that labels made are of ``decision.detectors`` if it names any; those that a person tries, of any detector.
    """
    on_trial = {row.model_id: row.by_hand for row in retrainings.shadows(connection)}
    return [
        row
        for row in sorted(all_models(connection), key=lambda row: row.id)
        if row.id in on_trial
        and not row.active
        and row.threshold is not None
        and (not detectors or row.detector in detectors or on_trial[row.id])
    ]


def load_model(database: Database, registry: Registry, configuration: Configuration, name: str | None) -> ActiveModel:
    """Load the model ``name``, active or not, or the primary; raises `NoModelError` when it has no threshold."""
    if name is None:
        return load(registry, configuration, _deciding_rows(database, configuration)[0])
    with database.read() as connection:
        row = find_model(connection, name)
    if row.threshold is None:
        raise NoModelError(
            f"{row.name} has no threshold yet; choose it: monitor calibrate --model {row.name} --data DIR"
        )
    return load(registry, configuration, row)


def load(registry: Registry, configuration: Configuration, row: ModelRow) -> ActiveModel:
    """Load a model that has a threshold; raises `ModelDamagedError` when it is not the one that was trained."""
    assert row.threshold is not None
    assert row.calibration_id is not None
    detector = ModelLoader(registry, configuration).load(row)
    scale = ScoreScale.of(row.evidence or {})
    bare = row._replace(evidence=None)
    return ActiveModel(row.id, row.name, row.fingerprint, detector, row.threshold, row.calibration_id, scale, bare)


def _deciding_rows(database: Database, configuration: Configuration) -> list[ModelRow]:
    """The active models that decide, the primary first; at least one."""
    detectors = configuration.settings.decision.detectors
    with database.read() as connection:
        active = active_models(connection)
        trained = newest_models(connection)
    if not active:
        raise _none_active(trained)
    _check_named(active, detectors)
    return deciding(active, detectors)


def _none_active(trained: Sequence[ModelRow]) -> NoModelError:
    if trained:
        return NoModelError(
            f"no model is active: {trained[0].name} is trained, but has no threshold yet; "
            "choose it: monitor calibrate --data DIR"
        )
    return NoModelError(
        "no model is active; train one and give it a threshold: "
        "monitor train contrast --data DIR, then monitor calibrate --data DIR"
    )


def _check_named(active: Sequence[ModelRow], detectors: Sequence[str]) -> None:
    """Log which active models do not run and which named detectors have none; raise when none is left."""
    if not detectors:
        return
    present = {row.detector: row.name for row in active}
    missing = [name for name in detectors if name not in present]
    if len(missing) == len(detectors):
        raise NoModelError(
            f"decision.detectors names {', '.join(missing)}, without an active model; active are "
            f"{', '.join(present.values())}: name one of their detectors, or make a model: "
            f"monitor train {missing[0]} --data DIR, then monitor calibrate --data DIR"
        )
    for name in missing:
        log.warning(
            "decision.detectors names %s, which has no active model; the others decide without it until there is one "
            "(monitor train %s, monitor calibrate) and the models are reloaded", name, name,
        )  # fmt: skip
    for name in present.keys() - set(detectors):
        log.info("the active model %s does not run: decision.detectors does not name %s", present[name], name)


def _require_ranks(rows: Sequence[ModelRow]) -> None:
    for row in rows:
        if not ScoreScale.of(row.evidence or {}).scores:
            raise NoModelError(
                f'decision.decide is "rank-mean", and the calibration of {row.name} holds no scores of both normal '
                f"and proliv crops to rank among; calibrate it again: monitor calibrate --model {row.name} --data DIR"
            )
