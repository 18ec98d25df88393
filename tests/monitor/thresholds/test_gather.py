from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete

from monitor.configuration.settings import Calibration
from monitor.models.folders import TrainedOn
from monitor.store.database.schema import reference_scores, scores
from monitor.thresholds.gather import gather_evidence
from tests.support.made_up import NOW, MadeUp, made_up, midpoint
from tests.support.made_up_rules import AGELESS, DAY, evidence

if TYPE_CHECKING:
    from pathlib import Path


def test_without_labels_the_references_count_each_the_same(store: MadeUp) -> None:
    found = evidence(store)
    assert found.scores.normal.tolist() == [1.0] * 10
    assert found.scores.proliv.tolist() == [4.0] * 10
    assert found.scores.normal_weights.tolist() == found.scores.proliv_weights.tolist() == [1.0] * 10
    assert found.incidents == 10
    assert (found.newest, found.set_aside, found.labels_until) == ([], [], None)
    assert found.scores.crops_per_week is None


def test_labels_of_crops_that_the_model_scored_are_added(store: MadeUp) -> None:
    store.label(store.crop(1.5), "ne_proliv", at=NOW + timedelta(hours=1))
    store.label(store.crop(1.8), "proliv", at=NOW + timedelta(hours=2))
    found = evidence(store)
    assert sorted(found.scores.normal.tolist()) == [1.0] * 10 + [1.5]
    assert sorted(found.scores.proliv.tolist()) == [1.8] + [4.0] * 10
    assert {item.score for item in found.newest} == {1.5, 1.8}
    assert found.labels_until == NOW + timedelta(hours=2)
    assert found.scores.crops_per_week == 2


def test_a_label_takes_the_place_of_a_reference_of_the_same_content(store: MadeUp) -> None:
    store.label(store.crop(1.0, content="n3"), "proliv")
    found = evidence(store)
    assert len(found.scores.normal) == 9
    assert sorted(found.scores.proliv.tolist()) == [1.0] + [4.0] * 10


def test_one_incident_alone_is_said(store: MadeUp, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with made_up(tmp_path / "other") as other:
        other.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 3, [4.0])
        for index in range(4):
            other.label(other.crop(6.0, content="p0", at=NOW), "proliv")
            other.label(other.crop(6.0, at=NOW + index * timedelta(seconds=15)), "proliv")
        (note,) = [note for note in evidence(other).notes if "incident" in note]
    assert note.startswith("all 5 proliv crops come from one incident within 45 s: ")
    assert not [note for note in evidence(store).notes if "incident" in note]


def test_that_nothing_was_drawn_at_random_is_said_until_something_is(store: MadeUp) -> None:
    for crop in (store.crop(3.0), store.crop(1.2), store.crop(1.3)):
        store.label(crop, "ne_proliv")
    assert any("monitor label --audit" in note for note in evidence(store).notes)
    store.draw([2], eligible=2)
    assert not any("monitor label --audit" in note for note in evidence(store).notes)


def test_contradictions_are_set_aside_until_they_are_settled(store: MadeUp) -> None:
    crop = store.crop(1.5)
    store.label(crop, "ne_proliv", author="ann")
    store.label(crop, "proliv", author="bob", at=NOW + timedelta(minutes=1))
    found = evidence(store)
    assert 1.5 not in [*found.scores.normal.tolist(), *found.scores.proliv.tolist()]
    assert found.set_aside == [
        "/inbox/1.jpg: ann says ne_proliv, bob says proliv; settle it: monitor label /inbox/1.jpg --as … --settle"
    ]
    store.label(crop, "proliv", author="carl", at=NOW + timedelta(minutes=2), settles=True)
    assert evidence(store).set_aside == []
    assert 1.5 in evidence(store).scores.proliv


def test_many_contradictions_are_counted(store: MadeUp) -> None:
    for _ in range(5):
        crop = store.crop(1.5)
        store.label(crop, "ne_proliv", author="ann")
        store.label(crop, "proliv", author="bob", at=NOW + timedelta(minutes=1))
    assert len(evidence(store).set_aside) == 4
    assert evidence(store).set_aside[-1] == "and 2 more contents with contradictory labels"


def test_without_any_ne_proliv_there_is_evidence_all_the_same(store: MadeUp) -> None:
    with store.database.write() as connection:
        connection.execute(delete(reference_scores))  # as in a database from before references were kept
    found = evidence(store)
    assert (len(found.scores.normal), len(found.scores.proliv)) == (0, 0)
    store.label(store.crop(9.0), "proliv")
    assert evidence(store).scores.proliv.tolist() == [9.0]


def test_a_labelled_reference_without_a_score_of_its_crop_keeps_its_own(store: MadeUp) -> None:
    crop = store.crop(77.0, content="p3")
    with store.database.write() as connection:
        connection.execute(delete(scores).where(scores.c.crop_id == crop))
    store.label(crop, "ne_proliv")
    found = evidence(store)
    assert sorted(found.scores.normal.tolist()) == [1.0] * 10 + [4.0]
    assert len(found.scores.proliv) == 9


def test_what_the_model_was_trained_on_is_no_evidence_of_ne_proliv(store: MadeUp) -> None:
    for score, label in ((1.5, "ne_proliv"), (1.6, "ne_proliv"), (3.0, "proliv")):
        store.label(store.crop(score), label)
    with store.database.read() as connection:
        found = gather_evidence(
            connection,
            store.model.id,
            AGELESS,
            now=NOW + DAY,
            trained_on=TrainedOn({f"{number:064d}" for number in (1, 3)}),
        )
    assert 1.5 not in found.scores.normal
    assert 1.6 in found.scores.normal
    assert 3.0 in found.scores.proliv
    assert found.set_aside == ["1 crops labelled ne_proliv are among those that the model was trained on"]
