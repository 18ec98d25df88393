"""Trains the active model of a detector again, with what people labelled, and tries the new one in the shadow.

1. The trial of an earlier one is ended, if one is running and over (`monitor.learning.trial`); while it runs, nothing
   is trained.
2. The labels are chosen (`selection`) and read together with the folder that the model was trained on (`material`).
3. The new model is trained with the settings of the active one and the same held-out crops. It decides by the same
   threshold, or, where scores of two models cannot be compared, by one of the configured rule.
4. Both models are compared (`comparison`, `checks`). The new one is refused, or scores beside the active one from now
   on.

Nothing changes what decides before the trial is over. Whatever fails or is interrupted leaves the active model as it
is; a model's folder and its row appear whole or not at all.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from monitor.errors import DataError, NoModelError
from monitor.labels.missing_scores import score_missing
from monitor.learning import checks, comparison
from monitor.learning.checks import Refused
from monitor.learning.material import gather
from monitor.learning.outcome import Outcome
from monitor.learning.selection import select
from monitor.learning.trial import judge_trial
from monitor.models import folders, training
from monitor.scoring.ensemble import Ensemble, load
from monitor.scoring.vote import deciding
from monitor.store import models, retrainings
from monitor.thresholds.calibration import calibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.gather import floods_accepted_until
from monitor.thresholds.references import references_of_crops
from monitor.thresholds.rules import Rules
from monitor.words import Label, Unlearned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.api import Detector, Progress
    from monitor.configuration.resolved import Configuration
    from monitor.learning.material import Material
    from monitor.learning.outcome import Request
    from monitor.learning.selection import Selection
    from monitor.registry import Registry
    from monitor.scoring.ensemble import ActiveModel
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRow

log = logging.getLogger(__name__)


class Retraining:
    """One training from labels."""

    def __init__(
        self, database: Database, registry: Registry, configuration: Configuration, request: Request, progress: Progress
    ) -> None:
        self._database, self._registry, self._configuration = database, registry, configuration
        self._request, self._progress = request, progress
        self._settings = configuration.settings

    def run(self) -> Outcome:
        """Do what is due; raises `MonitorError` where it cannot, and then nothing has changed."""
        request = self._request
        with self._database.read() as connection:
            model = subject(connection, self._registry, self._settings.decision.detectors, request.detector)
            done = None if request.run_id is None else retrainings.of_run(connection, model.detector, request.run_id)
            trial = retrainings.shadow(connection, model.detector)
            newest = retrainings.newest(connection, model.detector)
            chosen = select(connection, model, self._settings.calibration, now=request.now, zone=request.zone)
        if done is not None:
            return self._outcome(done, model)
        if trial is not None:
            return judge_trial(self._database, self._registry, self._configuration, trial, request)
        new = chosen.since(newest.labels_until if newest else None)
        if new < request.least:
            reason = (
                f"{new} false alarms and proliv have been labelled since the last training, and "
                f"learning.minimum_labels is {request.least}"
            )
            return Outcome(model.detector, None, model.name, "unchanged", reason=reason, notes=tuple(chosen.set_aside))
        return self._train(model, chosen)

    def _train(self, model: ModelRow, chosen: Selection) -> Outcome:
        validation = folders.validation_digests(self._configuration.models, model)
        material = gather(self._configuration, self._database, self._request.data, validation, chosen)
        notes = (*chosen.set_aside, *material.notes)
        evidence = {**_learned(material), "notes": list(notes)}
        too_few = _too_few_proliv(material, self._settings.calibration.minimum_proliv)
        if too_few is not None:
            return self._store(model, None, chosen, too_few, evidence)
        if not material.labelled:
            reason = "nothing that was labelled can be learned from"
            return Outcome(model.detector, None, model.name, "unchanged", reason=reason, notes=notes)
        active = load(self._registry, self._configuration, model)
        detector = _untrained(active.detector, model)
        saved = training.train(
            detector,
            material.data,
            seed=self._request.seed,
            progress=self._progress,
            database=self._database,
            models_folder=self._configuration.models,
            also=partial(self._begun, model),
        )
        if saved.fingerprint == model.fingerprint:
            reason = f"the same model came of it, {model.name}"
            return Outcome(model.detector, None, model.name, "unchanged", reason=reason, notes=notes)
        new = self._with_threshold(active, saved.name, detector, material)
        refused, compared = self._compare(active, new, material)
        return self._store(model, new, chosen, refused, {**evidence, **compared})

    def _begun(self, former: ModelRow, connection: Connection, name: str) -> None:
        """Mark the new model as one that nobody has compared yet, for the case that the program is ended before."""
        new = models.find_model(connection, name)
        if new.id != former.id:
            ids = {"model_id": new.id, "replaces_id": former.id}
            retrainings.begin(connection, detector=former.detector, **ids, now=self._request.now)

    def _with_threshold(self, former: ActiveModel, name: str, detector: Detector, material: Material) -> ActiveModel:
        """Give the new model the former one's threshold, or one by the configured rule; it stays inactive."""
        data = material.data
        with self._database.read() as connection:
            row = models.find_model(connection, name)
        learned = folders.cross_fitted(self._configuration.models, row)
        given = [
            *references_of_crops(detector, data.validation, Label.NE_PROLIV).values(),
            *references_of_crops(detector, data.proliv, Label.PROLIV, learned).values(),
        ]
        rules = Rules.of(self._registry, self._configuration)
        keeps = detector.natural_threshold is not None
        if keeps:
            # Its scores mean what those of the former model mean. So it decides by the same threshold, and what the
            # labels say of that is chosen at night: one change at a time, each guarded.
            fixed = self._registry.new_rule("fixed", self._configuration, {"threshold": former.threshold})
            rules = replace(rules, rule=fixed, explicit=True)
        new = self._calibrated(former.id, row, rules, given)
        score_missing(self._configuration, self._database, Ensemble((new,), "primary"))
        # A rule needs the scores of the labelled crops, which the model gives once it has a threshold to decide by.
        return new if keeps else self._calibrated(former.id, row, rules, given)

    def _calibrated(self, former_id: int, row: ModelRow, rules: Rules, given: Sequence[ReferenceRow]) -> ActiveModel:
        """The new model with a threshold by these rules; floods that a person accepted for the former one count."""
        request = self._request
        with self._database.read() as connection:
            accepted_until = floods_accepted_until(connection, former_id, request.now)
        # There is nothing to guard: the model decides nothing yet, and is compared as a whole.
        by = ChangeRequest(
            *(request.now, "calibrate"),
            accept=True,
            author=request.author,
            zone=request.zone,
            floods_accepted_until=accepted_until,
        )
        calibrate(self._database, row, rules, given, by, data=request.data, activate=False)
        with self._database.read() as connection:
            row = models.find_model(connection, row.name)
        return load(self._registry, self._configuration, row)

    def _compare(
        self, active: ActiveModel, new: ActiveModel, material: Material
    ) -> tuple[Refused | None, dict[str, Any]]:
        """Whether the new model is refused, and how both decide."""
        folder, settings = self._configuration.models, self._settings
        score_missing(self._configuration, self._database, Ensemble((active,), "primary"))
        with self._database.read() as connection:
            rows = models.find_model(connection, active.name), models.find_model(connection, new.name)
            pairs = comparison.labelled_pairs(connection, folder, rows, settings.calibration, self._request.now)
        before, after = (
            {**folders.cross_fitted(folder, row), **folders.learned_labels(folder, row).get(Label.PROLIV, {})}
            for row in rows
        )
        known = comparison.known_proliv(active, before, after, material.data)
        limits = comparison.where_proliv_begins(active), comparison.where_proliv_begins(new)
        shares = comparison.made_up_shares(active, new, material.data)
        refused = (
            checks.misses_proliv(*known, limits, {pair.sha256: pair.name for pair in pairs})
            or checks.worse_on_made_up(shares, settings.learning.made_up_tolerance)
            or checks.worse(pairs)
        )
        return refused, {
            "known_proliv": {"proliv": len(known[1]), "found": sum(one >= limits[1] for one in known[1].values())},
            "made_up": [share.as_dict() for share in shares],
            "labelled": checks.rates(pairs),
            "threshold": new.threshold,
        }

    def _store(
        self,
        model: ModelRow,
        new: ActiveModel | None,
        chosen: Selection,
        refused: Refused | None,
        evidence: dict[str, Any],
    ) -> Outcome:
        request = self._request
        with self._database.write() as connection:
            active = {one.id for one in models.active_models(connection)}
            if model.id not in active or retrainings.shadow(connection, model.detector) is not None:
                raise DataError(
                    f"{model.name}: another model took its place or is on trial since the training began; see: monitor "
                    "models list"
                )
            if new is not None:
                retrainings.compared(connection, new.id)
            row = retrainings.add(
                connection,
                detector=model.detector,
                model_id=new.id if new else None,
                replaces_id=model.id,
                state="shadow" if refused is None else "refused",
                evidence=evidence,
                now=request.now,
                labels_until=chosen.until,
                refusal=refused.refusal.value if refused else None,
                reason=refused.sentence if refused else None,
                author=request.author,
                run_id=request.run_id,
            )
        return self._outcome(row, model)

    def _outcome(self, row: retrainings.RetrainingRow, model: ModelRow) -> Outcome:
        with self._database.read() as connection:
            names = {one.id: one.name for one in models.all_models(connection)}
        reason = None
        if row.state == "shadow":
            reason = f"it scores beside {names[row.replaces_id]} for {self._settings.learning.shadow_days:g} days"
        name = None if row.model_id is None else names[row.model_id]
        return Outcome.of(row, name, names.get(row.replaces_id, model.name), reason)


def subject(connection: Connection, registry: Registry, detectors: tuple[str, ...], wanted: str | None) -> ModelRow:
    """The active model to train again: of the wanted detector, or of the first deciding one that learns from proliv.

    Raises `NoModelError` when there is none, and `DataError` when its detector does not learn from proliv.
    """
    active = deciding(models.active_models(connection), detectors)
    if wanted is not None:
        active = [row for row in models.active_models(connection) if row.detector == wanted]
        if active and not registry.detector_class(wanted).learns_from_proliv:
            raise DataError(
                f"the detector {wanted!r} does not learn from proliv, so labels teach it nothing; name another"
            )
    found = next((row for row in active if registry.detector_class(row.detector).learns_from_proliv), None)
    if found is None:
        what = f"no model of the detector {wanted!r} is active" if wanted else "no active model learns from labels"
        raise NoModelError(
            f"{what}; train one and give it a threshold: monitor train contrast --data DIR, then monitor calibrate "
            "--data DIR --activate"
        )
    return found


def _untrained(detector: Detector, model: ModelRow) -> Detector:
    """A detector of the same kind and settings that has learned nothing."""
    kind = type(detector)
    try:
        return kind(kind.Settings.model_validate(model.settings), detector.device)
    except ValidationError as error:
        raise DataError(
            f"{model.name}: was trained with settings that the installed detector {model.detector!r} does not know: "
            f"{error.error_count()} problems; train it anew: monitor train {model.detector}"
        ) from error


def _learned(material: Material) -> dict[str, int]:
    """How many crops of each kind are learned from, for the evidence."""
    data = material.data
    return {
        "train_crops": len(data.train.pixels),
        "held_out_crops": len(data.validation.pixels),
        "proliv_crops": len(data.proliv.pixels),
        "confirmed_proliv": len(data.confirmed.pixels),
        "false_alarms": len(data.false_alarms.pixels),
    }


def _too_few_proliv(material: Material, least: int) -> Refused | None:
    """Refuse to learn what is no proliv while nobody would notice that proliv is missed."""
    known = len(material.data.proliv.pixels) + len(material.data.confirmed.pixels)
    if known < least:
        return Refused(
            Unlearned.TOO_FEW_PROLIV,
            f"{known} known proliv are fewer than calibration.minimum_proliv {least}: nobody would notice which of "
            "them a new model misses; add what is known to proliv/, or label more",
        )
    if material.proliv_groups < 2:
        return Refused(
            Unlearned.TOO_FEW_PROLIV,
            f"all {known} known proliv are of one hole, so none can be judged by what was learned from another; add "
            "proliv of other holes to proliv/, or label some",
        )
    return None
