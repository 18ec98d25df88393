"""A model is trained again from labels; whatever goes wrong leaves the active one as it is."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from monitor.errors import DataError, InputMissingError, NoModelError, OutputError
from monitor.learning import comparison
from monitor.learning.checks import Share
from monitor.learning.retraining import Retraining
from monitor.learning.selection import select
from monitor.models import folders
from monitor.store import models
from monitor.store.database import schema
from monitor.store.labels import labelled_scores
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import UTC_CLOCK, ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.thresholds.rules import Rules
from monitor.words import Label
from plugins.detectors import contrast_training

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.learning.conftest import Plant

pytestmark = pytest.mark.process


def test_it_learns_false_alarms_and_proliv_and_its_model_is_in_the_shadow(
    plant: Plant, normal: list[Path], proliv: list[Path]
) -> None:
    former = plant.active
    false_alarms, confirmed = plant.label_all(normal[:6], "ne_proliv"), plant.label_all(proliv[:4], "proliv")
    passed = plant.come(normal[6], score=0.0)
    plant.label(passed, "ne_proliv")
    outcome = plant.retrain()
    assert (outcome.result, outcome.replaces, plant.rows()) == ("shadow", former.name, [("shadow", None)])
    assert outcome.evidence is not None
    assert [outcome.evidence[name] for name in ("false_alarms", "confirmed_proliv", "proliv_crops")] == [6, 4, 20]
    assert {one["kind"] for one in outcome.evidence["made_up"]} >= {"objects", "empty holes", "known proliv"}
    assert plant.active.id == former.id
    assert outcome.model is not None
    new = plant.model(outcome.model)
    assert new.threshold is not None
    learned = folders.learned_labels(plant.configuration.models, new)
    assert {label: len(found) for label, found in learned.items()} == {Label.PROLIV: 4, Label.NE_PROLIV: 6}
    with plant.database.read() as connection:
        assert {*false_alarms, *confirmed, passed} == labelled_scores(connection, new.id).keys()
        seen = folders.trained_on(plant.configuration.models, new)
        items = gather_evidence(
            connection, new.id, plant.configuration.settings.calibration, now=plant.now, trained_on=seen
        ).items
    # What was learned by heart counts with its cross-fitted score, and all else with the model's own.
    by_content = {item.sha256: item.score for item in items}
    for label in Label:
        assert all(by_content[digest] == one.score for digest, one in learned[label].items())


def test_the_same_labels_give_the_same_model(plant: Plant, proliv: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    # Which of two small models is better is a matter of chance.
    monkeypatch.setattr(comparison, "made_up_shares", lambda *_: [Share("objects", 250, 240, 230)])
    plant.label_all(proliv, "proliv")
    plant.settings["learning"] = {"made_up_tolerance": 0.0, "shadow_days": 2.0}
    first, second = plant.retrain(), plant.retrain()
    assert (first.result, first.refusal, second.refusal) == ("refused", "worse_on_made_up", "worse_on_made_up")
    assert first.model == second.model
    assert len(plant.folders()) == 2
    assert plant.rows() == [("refused", "worse_on_made_up")] * 2


def test_a_scheduled_run_trains_once_and_only_with_enough_new_labels(plant: Plant, proliv: list[Path]) -> None:
    plant.label_all(proliv[:3], "proliv")
    waiting = plant.retrain(least=4)
    assert (waiting.result, plant.rows()) == ("unchanged", [])
    assert waiting.reason is not None
    assert "3 false alarms and proliv have been labelled" in waiting.reason
    run = {"id": 7, "job": "retrain", "slot": plant.now, "started_at": plant.now}
    with plant.database.write() as connection:
        connection.execute(schema.runs.insert(), run)
    first, again = plant.retrain(least=3, run_id=7), plant.retrain(least=3, run_id=7)
    assert (first.result, again.result, first.model) == ("shadow", "shadow", again.model)
    assert plant.rows() == [("shadow", None)]


def test_nothing_labelled_is_no_reason_to_train(plant: Plant) -> None:
    outcome = plant.retrain()
    assert (outcome.result, outcome.reason) == ("unchanged", "nothing that was labelled can be learned from")


def test_labels_that_cannot_be_right_are_named_and_not_learned(
    plant: Plant, normal: list[Path], proliv: list[Path], small_dataset: Path, tmp_path: Path
) -> None:
    known = min((small_dataset / "proliv").iterdir())
    usual = min((small_dataset / "train").iterdir())
    plant.label_all([known, normal[0]], "ne_proliv")
    plant.label_all([usual, proliv[0]], "proliv")
    outcome = plant.retrain()
    assert outcome.evidence is not None
    assert (outcome.evidence["false_alarms"], outcome.evidence["confirmed_proliv"]) == (1, 1)
    assert f"{known} is labelled ne_proliv and nearly the same as a known proliv" in outcome.notes[0]
    assert f"{usual} is labelled proliv and nearly the same as a normal crop" in outcome.notes[1]


def test_contradictions_and_floods_are_set_aside(plant: Plant, proliv: list[Path]) -> None:
    plant.settings["calibration"] = {**plant.settings["calibration"], "flood_labels": 3}
    number = plant.come(proliv[0])
    plant.label(number, "proliv", author="ann")
    plant.label(number, "ne_proliv", author="bob")
    for path in proliv[1:6]:
        plant.label(plant.come(path), "proliv", author="eve")
    outcome = plant.retrain()
    assert (outcome.result, outcome.reason) == ("unchanged", "nothing that was labelled can be learned from")
    assert "ann says proliv, bob says ne_proliv" in outcome.notes[0]
    assert "5 labels of eve were given faster than 3 an hour" in outcome.notes[1]


def test_files_that_are_gone_are_named(plant: Plant, proliv: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "1.jpg"
    shutil.copy(proliv[0], copy)
    plant.label_all([copy, proliv[1]], "proliv")
    copy.unlink()
    outcome = plant.retrain()
    assert outcome.evidence is not None
    assert outcome.evidence["confirmed_proliv"] == 1
    assert (
        f"the files of 1 labelled proliv crops are gone or cannot be read, so they are not learned: {copy}"
        in (outcome.notes[0])
    )


@pytest.mark.parametrize(("count", "sentence"), [
    (3, "4 known proliv are fewer than calibration.minimum_proliv 5"),
    (0, "1 known proliv are fewer than calibration.minimum_proliv 5"),
])  # fmt: skip
def test_too_little_proliv_is_refused_before_anything_is_trained(
    plant: Plant, proliv: list[Path], small_dataset: Path, tmp_path: Path, count: int, sentence: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_dataset / "train", data / "train")
    (data / "proliv").mkdir()
    for path in sorted((small_dataset / "proliv").iterdir())[:count]:
        shutil.copy(path, data / "proliv")
    plant.label_all(proliv[:1], "proliv")
    outcome = plant.retrain(data=data)
    assert (outcome.result, outcome.model, outcome.refusal) == ("refused", None, "too_few_proliv")
    assert outcome.reason is not None
    assert outcome.reason.startswith(sentence)
    assert plant.rows() == [("refused", "too_few_proliv")]


def test_proliv_of_one_hole_is_refused(plant: Plant, normal: list[Path], small_dataset: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_dataset / "train", data / "train")
    (data / "proliv").mkdir()
    for number, path in enumerate(sorted((small_dataset / "proliv").iterdir())):
        shutil.copy(path, data / "proliv" / f"7_CAM_C_01-03-2023_05-39-13-{number:03}.jpg")
    plant.label_all(normal[:2], "ne_proliv")
    outcome = plant.retrain(data=data)
    assert (outcome.result, outcome.refusal) == ("refused", "too_few_proliv")
    assert outcome.reason is not None
    assert "known proliv are of one hole" in outcome.reason


def test_a_folder_that_is_gone_or_another_one_is_said(plant: Plant, proliv: list[Path], tmp_path: Path) -> None:
    plant.label_all(proliv[:2], "proliv")
    with pytest.raises(InputMissingError, match="gone"):
        plant.retrain(data=tmp_path / "gone")
    shutil.copytree(proliv[0].parent, tmp_path / "another" / "train")
    with pytest.raises(DataError, match="is not the folder that the model was trained on"):
        plant.retrain(data=tmp_path / "another")
    assert (plant.rows(), len(plant.folders())) == ([], 1)


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("module", "name", "fails", "error"), [
    (folders, "flush", full, OutputError),
    (contrast_training, "train_head", interrupted, KeyboardInterrupt),
])  # fmt: skip
def test_a_full_disk_and_an_interruption_leave_nothing(
    plant: Plant, proliv: list[Path], monkeypatch: pytest.MonkeyPatch, module: Any, name: str, fails: Any, error: Any
) -> None:
    before = plant.active
    plant.label_all(proliv[:2], "proliv")
    monkeypatch.setattr(module, name, fails)
    with pytest.raises(error):
        plant.retrain()
    assert (plant.rows(), plant.folders(), plant.active) == ([], [before.name], before)


def test_a_model_that_nobody_compared_because_of_a_kill_is_not_taken_for_the_newest(
    plant: Plant, proliv: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plant.active
    plant.label_all(proliv[:3], "proliv")
    with monkeypatch.context() as patch:
        patch.setattr(Retraining, "_compare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            plant.retrain()
    assert (plant.rows(), plant.active.name, len(plant.folders())) == ([("refused", "interrupted")], before.name, 2)
    # What `monitor calibrate` takes, and does not replace.
    with plant.database.read() as connection:
        assert [row.name for row in models.newest_models(connection)] == [before.name]
    # It counts for nothing, and the next one takes its place.
    outcome = plant.retrain(least=3)
    assert (outcome.result, plant.rows()) == ("shadow", [("shadow", None)])


def test_a_flood_that_was_accepted_stays_so_when_the_model_is_exchanged(plant: Plant, proliv: list[Path]) -> None:
    plant.settings["calibration"] = {**plant.settings["calibration"], "flood_labels": 3}
    for path in proliv[:5]:
        plant.label(plant.come(path), "proliv", author="eve")
    rules = Rules.of(plant.registry, plant.configuration)
    recalibrate(plant.database, rules, ChangeRequest(plant.now, "recalibrate", accept=True))
    outcome = plant.retrain()
    assert outcome.evidence is not None
    assert outcome.model is not None
    assert outcome.evidence["confirmed_proliv"] == 5
    assert outcome.evidence["labelled"]["tpr_after"]["crops"] >= 5
    new, settings = plant.model(outcome.model), plant.configuration.settings.calibration
    with plant.database.read() as connection:
        chosen = select(connection, new, settings, now=plant.now, zone=UTC_CLOCK)
    assert (len(chosen.confirmed), chosen.set_aside) == (5, [])


def test_only_a_detector_that_learns_from_proliv_is_trained_again(plant: Plant) -> None:
    with pytest.raises(NoModelError, match=r"no model of the detector 'patchstats' is active; train one"):
        plant.retrain(detector="patchstats")
    with plant.database.write() as connection:
        connection.execute(update(schema.models).values(detector="patchstats"))
    with pytest.raises(DataError, match="does not learn from proliv"):
        plant.retrain(detector="patchstats")
    with pytest.raises(NoModelError, match="no active model learns from labels"):
        plant.retrain()


def test_a_model_that_went_on_trial_meanwhile_stays_the_only_one(
    plant: Plant, proliv: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.label_all(proliv[:2], "proliv")
    compare = Retraining._compare

    def slow(self: Retraining, *arguments: Any) -> Any:
        monkeypatch.setattr(Retraining, "_compare", compare)
        assert plant.retrain().result == "shadow"
        return compare(self, *arguments)

    monkeypatch.setattr(Retraining, "_compare", slow)
    with pytest.raises(DataError, match="another model took its place or is on trial since the training began"):
        plant.retrain()
    assert plant.rows() == [("shadow", None)]
