"""A person tries a model in the shadow: it is asked, decides nothing, and stays there until a person ends it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, update

from monitor.errors import DataError, ModelDamagedError, NoModelError
from monitor.learning import by_hand
from monitor.learning.trial import accept
from monitor.scoring.ensemble import load_active
from monitor.store import models, retrainings
from monitor.store.database import schema
from monitor.store.details import decisions_on
from tests.support.states import made_once, make_state

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.models import ModelRow
    from tests.monitor.learning.conftest import Plant

pytestmark = pytest.mark.process


@pytest.fixture(scope="session")
def contrast_state(
    tmp_path_factory: pytest.TempPathFactory, contrast_state: Path, small_dataset: Path, starts_processes: None
) -> Path:
    """A state folder with an active model of contrast, and one of patchstats with a threshold and one without."""
    commands = [
        ["train", "patchstats"],
        ["calibrate", "--detector", "patchstats", "--no-activate"],
        ["train", "patchstats", "--seed", "1"],
    ]

    def make(home: Path) -> None:
        shutil.copytree(contrast_state, home / "state")
        make_state(home, small_dataset, commands)

    return made_once(tmp_path_factory, "by-hand", make) / "state"


@pytest.fixture
def other(plant: Plant) -> ModelRow:
    """The model of patchstats that has a threshold."""
    with plant.database.read() as connection:
        (row,) = (
            row for row in models.all_models(connection) if row.detector == "patchstats" and row.threshold is not None
        )
    return row


def begin(plant: Plant, name: str) -> by_hand.Trial:
    return by_hand.begin(plant.database, plant.registry, plant.configuration, name, now=plant.now, author="ann")


def running(plant: Plant) -> list[by_hand.Trial]:
    with plant.database.read() as connection:
        return by_hand.running(connection)


def test_it_is_asked_whatever_decides_and_counts_what_it_saw(plant: Plant, other: ModelRow, normal: list[Path]) -> None:
    trial = begin(plant, other.name)
    assert (trial.model, trial.beside, trial.by_hand, trial.author) == (other.name, plant.active.name, True, "ann")
    # Also where the configuration names the detectors that decide, and its own is not among them.
    plant.settings["decision"] = {"detectors": ["contrast"]}
    ensemble = load_active(plant.database, plant.registry, plant.configuration, shadows=True)
    assert [model.name for model in ensemble.shadows] == [other.name]
    assert [model.name for model in ensemble.models] == [plant.active.name]
    number = plant.come(normal[0], score=0.1, hours=1)
    plant.score(number, other, (other.threshold or 0.0) * 2)
    assert [trial.seen for trial in running(plant)] == [(1, 1, 1)]
    with plant.database.read() as connection:
        assert {one.model: one.in_shadow for one in decisions_on(connection, number)} == {
            plant.active.name: False, other.name: True,
        }  # fmt: skip


def test_what_it_decided_before_its_trial_was_no_trial(plant: Plant, other: ModelRow, normal: list[Path]) -> None:
    number = plant.come(normal[0])
    plant.score(number, other, 0.5)
    by_hand.begin(
        *(plant.database, plant.registry, plant.configuration, other.name),
        now=plant.now + timedelta(hours=1),
        author="ann",
    )
    with plant.database.read() as connection:
        assert not any(one.in_shadow for one in decisions_on(connection, number))


@pytest.mark.parametrize("way", ["end", "activate", "accept", "roll back"])
def test_only_a_person_ends_it(plant: Plant, other: ModelRow, way: str) -> None:
    if way == "roll back":
        # It has decided before, and another one took its place.
        with plant.database.write() as connection:
            second = next(row for row in models.all_models(connection) if row.detector == "patchstats" and row != other)
            copy = {"rule": "fixed", "settings": {}, "threshold": 1.0, "evidence": {}, "state": "active"}
            connection.execute(insert(schema.calibrations).values(model_id=second.id, created_at=plant.now, **copy))
            models.activate_model(connection, other)
            models.activate_model(connection, models.find_model(connection, second.name))
    begin(plant, other.name)
    assert [trial.model for trial in running(plant)] == [other.name]
    options: dict[str, Any] = {"now": plant.now, "author": "ann"}
    if way == "end":
        assert by_hand.end(plant.database, other.name, **options).model == other.name
        expected: tuple[str, str | None, bool] = ("refused", "ann ended its trial", False)
    elif way == "accept":
        accept(plant.database, plant.configuration, other.name, **options, why="it is better")
        expected = ("accepted", "it is better", True)
    else:
        with plant.database.write() as connection:
            if way == "activate":
                models.activate_model(connection, other)
            else:
                models.rollback_model(connection, "patchstats")
        expected = ("accepted", None, True)
    assert running(plant) == []
    with plant.database.read() as connection:
        (row,) = retrainings.history(connection, 5)
        active = models.find_model(connection, other.name).active
    assert (row.state, row.reason, active) == expected
    assert row.ended_at is not None


def test_no_night_ends_it_and_none_trains_meanwhile(plant: Plant, proliv: list[Path], normal: list[Path]) -> None:
    first = plant.active
    plant.label_all(proliv[:3], "proliv")
    trained = plant.retrain()
    assert trained.model is not None
    by_hand.end(plant.database, trained.model, now=plant.now, author="ann")
    begin(plant, trained.model)
    plant.score(plant.come(normal[0], score=0.5, hours=1), plant.model(trained.model), 0.4)
    plant.label_all(proliv[3:5], "proliv")
    outcome = plant.retrain(days=9)
    assert (outcome.result, outcome.model, plant.active.name) == ("shadow", trained.model, first.name)
    assert outcome.reason is not None
    assert "a person tries it, and ends that: monitor models activate" in outcome.reason
    assert "of 1 crops since" in outcome.reason
    by_hand.end(plant.database, trained.model, now=plant.now, author="ann")
    # What was labelled before the trial was learned from before it.
    with plant.database.read() as connection:
        newest = retrainings.newest(connection, "contrast")
        first_training = retrainings.history(connection, 5)[-1]
    assert newest is not None
    assert newest.labels_until == first_training.labels_until is not None


def test_a_trial_that_ended_leaves_a_model_as_it_was(plant: Plant, other: ModelRow) -> None:
    begin(plant, other.name)
    by_hand.end(plant.database, other.name, now=plant.now, author="ann")
    with plant.database.write() as connection:
        connection.execute(
            update(schema.models).where(schema.models.c.id == other.id).values(trained_at=plant.now + timedelta(days=1))
        )
    with plant.database.read() as connection:
        assert other.name in {row.name for row in models.newest_models(connection)}
    assert begin(plant, other.name).model == other.name


def test_what_cannot_be_tried_changes_nothing(plant: Plant, other: ModelRow) -> None:
    with plant.database.read() as connection:
        without = next(row for row in models.all_models(connection) if row.threshold is None)
    with pytest.raises(DataError, match="is the active model of the detector 'contrast', so it decides"):
        begin(plant, plant.active.name)
    with pytest.raises(NoModelError, match=rf"monitor calibrate --model {without.name} --data DIR --no-activate"):
        begin(plant, without.name)
    with pytest.raises(NoModelError, match="there is no model 'nobody'"):
        begin(plant, "nobody")
    with pytest.raises(DataError, match="is not in the shadow; those that are: monitor models shadow"):
        by_hand.end(plant.database, other.name, now=plant.now, author="ann")
    assert plant.rows() == []
    begin(plant, other.name)
    with pytest.raises(DataError, match=rf"it is in the shadow already.*monitor models shadow {other.name} --end"):
        begin(plant, other.name)
    assert plant.rows() == [("shadow", None)]


def test_a_damaged_model_and_one_that_nothing_decides_beside(plant: Plant, other: ModelRow) -> None:
    listed = plant.configuration.models / other.folder / "training.txt"
    content = listed.read_bytes()
    listed.write_text("")
    with pytest.raises(ModelDamagedError):
        begin(plant, other.name)
    listed.write_bytes(content)
    with plant.database.write() as connection:
        connection.execute(update(schema.models).values(active=False))
    with pytest.raises(NoModelError, match=f"no model decides that {other.name} could be tried beside"):
        begin(plant, other.name)
    assert plant.rows() == []
