"""A model in the shadow takes the active one's place, or is refused; a person may decide otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from monitor.errors import DataError, ModelDamagedError
from monitor.learning.trial import accept
from monitor.scoring.ensemble import load_active
from monitor.store import calibrations, models, retrainings
from monitor.store.database import schema
from monitor.store.details import decisions_on
from monitor.store.labels import NewLabel, add_labels

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.models import ModelRow
    from tests.monitor.learning.conftest import Plant

pytestmark = pytest.mark.process


@pytest.fixture
def on_trial(plant: Plant, proliv: list[Path]) -> ModelRow:
    """The model that was trained on three labelled proliv."""
    plant.label_all(proliv[:3], "proliv")
    outcome = plant.retrain()
    assert (outcome.result, outcome.model is None) == ("shadow", False), outcome.reason
    assert outcome.model is not None
    return plant.model(outcome.model)


def seen(plant: Plant, new: ModelRow, path: Path, *, former: float, later: float) -> int:
    """A crop that both models scored beside each other."""
    number = plant.come(path, score=former, hours=1)
    plant.score(number, new, later)
    return number


def test_it_waits_for_its_time_and_for_crops(plant: Plant, on_trial: ModelRow, normal: list[Path]) -> None:
    early, without = plant.retrain(days=1.9), plant.retrain(days=2.1)
    assert (early.result, without.result, plant.rows()) == ("shadow", "shadow", [("shadow", None)])
    assert without.reason is not None
    assert "and until crops have come; of 0 crops since" in without.reason
    seen(plant, on_trial, normal[0], former=0.5, later=0.4)
    former = plant.active
    outcome = plant.retrain(days=2.1)
    assert (outcome.result, outcome.model, outcome.replaces) == ("accepted", on_trial.name, former.name)
    assert outcome.evidence is not None
    assert outcome.evidence["shadow"]["crops"] == 1
    assert plant.active.name == on_trial.name
    with plant.database.write() as connection:
        left, now = models.rollback_model(connection, "contrast")
        retrainings.roll_back(connection, left.id)
    assert (left.name, now.name, plant.rows()) == (on_trial.name, former.name, [("rolled_back", None)])
    # It is not trained again from the same labels.
    assert plant.retrain(days=3, least=1).result == "unchanged"


def test_a_proliv_that_only_the_active_one_finds_ends_the_trial(
    plant: Plant, on_trial: ModelRow, proliv: list[Path]
) -> None:
    limit = on_trial.threshold or 0.0
    plant.label(seen(plant, on_trial, proliv[5], former=50.0, later=limit / 2), "proliv")
    outcome = plant.retrain(days=2.1)
    assert (outcome.result, outcome.refusal) == ("refused", "worse_tpr")
    assert outcome.reason is not None
    assert str(proliv[5]) in outcome.reason
    assert plant.active.name != on_trial.name


def test_more_false_alarms_end_the_trial(plant: Plant, on_trial: ModelRow, normal: list[Path]) -> None:
    limit = (on_trial.threshold or 0.0) * 2
    for path in normal[:12]:
        plant.label(seen(plant, on_trial, path, former=0.1, later=limit), "ne_proliv")
    assert plant.retrain(days=2.1).refusal == "worse_tnr"


@pytest.mark.parametrize("event", ["exchanged", "taken back", "future"])
def test_what_makes_the_comparison_void_withdraws_it(plant: Plant, on_trial: ModelRow, event: str) -> None:
    with plant.database.write() as connection:
        if event == "exchanged":
            models.activate_model(connection, on_trial)
        elif event == "taken back":
            later = plant.now + timedelta(seconds=1)
            row = NewLabel(1001, "proliv", "command", "ann", later, None, settles=False, undoes=1)
            add_labels(connection, [row])
            connection.execute(update(schema.labels).where(schema.labels.c.undoes == 1).values(recorded_at=later))
        else:
            connection.execute(update(schema.retrainings).values(created_at=plant.now + timedelta(days=9)))
    assert plant.retrain(days=1).refusal == "withdrawn"
    assert plant.rows() == [("refused", "withdrawn")]


def test_a_person_may_accept_what_is_on_trial_or_was_refused(
    plant: Plant, on_trial: ModelRow, proliv: list[Path]
) -> None:
    plant.label(seen(plant, on_trial, proliv[5], former=50.0, later=0.01), "proliv")
    plant.retrain(days=2.1)
    options: dict[str, Any] = {"now": plant.now, "author": "ann", "why": "a wrong label"}
    done = accept(plant.database, plant.configuration, on_trial.name, **options)
    assert (done.result, plant.active.name) == ("accepted", on_trial.name)
    with plant.database.read() as connection:
        (row,) = retrainings.history(connection, 5)
    assert (row.state, row.reason, row.author) == ("accepted", "a wrong label", "ann")
    assert row.evidence["overruled"]["refusal"] == "worse_tpr"
    with pytest.raises(DataError, match="was accepted already"):
        accept(plant.database, plant.configuration, on_trial.name, **options)
    with plant.database.read() as connection:
        (former,) = (one for one in models.all_models(connection) if one.name != on_trial.name)
    with pytest.raises(DataError, match="did not come of a training from labels"):
        accept(plant.database, plant.configuration, former.name, **options)


def test_a_damaged_model_is_not_accepted(plant: Plant, on_trial: ModelRow, normal: list[Path]) -> None:
    (plant.configuration.models / on_trial.folder / "training.txt").write_text("")
    with pytest.raises(ModelDamagedError):
        accept(plant.database, plant.configuration, on_trial.name, now=plant.now, author="ann", why="because")
    # The daemon goes on without it, and the trial ends.
    ensemble = load_active(plant.database, plant.registry, plant.configuration, shadows=True)
    assert (len(ensemble.models), ensemble.shadows) == (1, ())
    seen(plant, on_trial, normal[0], former=0.5, later=0.4)
    assert plant.retrain(days=2.1).refusal == "withdrawn"


def test_it_is_asked_and_does_not_decide(plant: Plant, on_trial: ModelRow) -> None:
    ensemble = load_active(plant.database, plant.registry, plant.configuration, shadows=True)
    assert [model.name for model in ensemble.shadows] == [on_trial.name]
    assert ensemble.model_ids == (ensemble.models[0].id, on_trial.id)
    assert len(ensemble.thresholds) == 1
    # By hand, only the active models are asked.
    assert load_active(plant.database, plant.registry, plant.configuration).shadows == ()


def test_what_it_decided_on_trial_is_shown_as_such(plant: Plant, on_trial: ModelRow, normal: list[Path]) -> None:
    number = seen(plant, on_trial, normal[0], former=0.5, later=0.4)
    with plant.database.read() as connection:
        shown = {one.model: one.in_shadow for one in decisions_on(connection, number)}
    assert shown == {plant.active.name: False, on_trial.name: True}
    options: dict[str, Any] = {"now": plant.now + timedelta(days=3), "author": "ann", "why": "because"}
    accept(plant.database, plant.configuration, on_trial.name, **options)
    with plant.database.read() as connection:
        assert {one.in_shadow for one in decisions_on(connection, number) if one.model == on_trial.name} == {True}


def test_calibrate_does_not_take_it_for_the_newest_model(plant: Plant, on_trial: ModelRow) -> None:
    with plant.database.read() as connection:
        (newest,) = models.newest_models(connection)
        calibration = calibrations.active(connection, on_trial.id)
    assert newest.name != on_trial.name
    assert calibration is not None


def test_the_primary_keeps_its_place(plant: Plant, on_trial: ModelRow) -> None:
    with plant.database.write() as connection:
        models.add_model(connection, name="ae-1", detector="ae", fingerprint="1" * 64, folder="ae-1", settings={})
        calibrations.add(
            connection, model_id=models.find_model(connection, "ae-1").id, rule="fixed", settings={}, threshold=1.0,
            evidence={}, now=plant.now,
        )  # fmt: skip
        models.activate_model(connection, models.find_model(connection, "ae-1"))
    accept(plant.database, plant.configuration, on_trial.name, now=plant.now, author="ann", why="because")
    with plant.database.read() as connection:
        assert [row.name for row in models.active_models(connection)] == ["ae-1", on_trial.name]
