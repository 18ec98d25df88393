from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import delete

from monitor.configuration.settings import Calibration
from monitor.formulas.weights import percentiles
from monitor.store.database.schema import reference_scores, scores
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.words import Label
from tests.support.made_up import NOW, MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.thresholds.evidence import Evidence

DAY = timedelta(days=1)
AGELESS = Calibration(half_life_days=0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MadeUp]:
    """A model whose threshold, 2, was chosen from ten normal crops at 1 and ten proliv at 4."""
    with made_up(tmp_path) as store:
        store.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 10, [4.0] * 10)
        yield store


def evidence(made: MadeUp, settings: Calibration = AGELESS, *, days: float = 1, accept: bool = False) -> Evidence:
    with made.database.read() as connection:
        return gather_evidence(connection, made.model.id, settings, now=NOW + days * DAY, accept=accept)


def test_without_labels_the_references_count_each_the_same(made: MadeUp) -> None:
    found = evidence(made)
    assert found.scores.normal.tolist() == [1.0] * 10
    assert found.scores.proliv.tolist() == [4.0] * 10
    assert found.scores.normal_weights.tolist() == found.scores.proliv_weights.tolist() == [1.0] * 10
    assert found.events == 10
    assert (found.newest, found.set_aside, found.labels_until) == ([], [], None)
    assert found.scores.crops_per_week is None


def test_labels_of_crops_that_the_model_scored_are_added(made: MadeUp) -> None:
    made.label(made.crop(1.5), "ne_proliv", at=NOW + timedelta(hours=1))
    made.label(made.crop(1.8), "proliv", at=NOW + timedelta(hours=2))
    found = evidence(made)
    assert sorted(found.scores.normal.tolist()) == [1.0] * 10 + [1.5]
    assert sorted(found.scores.proliv.tolist()) == [1.8] + [4.0] * 10
    assert {item.score for item in found.newest} == {1.5, 1.8}
    assert found.labels_until == NOW + timedelta(hours=2)
    assert found.scores.crops_per_week == 2


def test_a_label_takes_the_place_of_a_reference_of_the_same_content(made: MadeUp) -> None:
    made.label(made.crop(1.0, content="n3"), "proliv")
    found = evidence(made)
    assert len(found.scores.normal) == 9
    assert sorted(found.scores.proliv.tolist()) == [1.0] + [4.0] * 10


def test_every_event_counts_the_same(made: MadeUp) -> None:
    for index in range(40):
        made.label(made.crop(6.0, at=NOW + index * timedelta(seconds=1)), "proliv", at=NOW + DAY)
    found = evidence(made)
    new = found.scores.proliv == 6.0
    assert found.events == 11
    assert found.scores.proliv_weights[new].sum() == pytest.approx(found.scores.proliv_weights[~new].sum() / 10)


def test_one_event_alone_is_said(made: MadeUp, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with made_up(tmp_path / "other") as other:
        other.calibrate(midpoint(Calibration(minimum_proliv=1)), [1.0] * 3, [4.0])
        for index in range(4):
            other.label(other.crop(6.0, content="p0", at=NOW), "proliv")
            other.label(other.crop(6.0, at=NOW + index * timedelta(seconds=15)), "proliv")
        (note,) = [note for note in evidence(other).notes if "event" in note]
    assert note.startswith("all 5 proliv crops come from one event within 45 s: ")
    assert not [note for note in evidence(made).notes if "event" in note]


def test_older_crops_count_half_for_each_half_life(made: MadeUp) -> None:
    made.label(made.crop(1.5, at=NOW + 30 * DAY), "ne_proliv", at=NOW + 30 * DAY)
    found = evidence(made, Calibration(half_life_days=30), days=45)
    new = found.scores.normal == 1.5
    assert found.scores.normal_weights[~new].tolist() == pytest.approx([found.scores.normal_weights[new][0] / 2] * 10)


def test_false_alarms_have_the_share_that_they_have_on_the_line(made: MadeUp) -> None:
    # Of 100 crops 4 alarm; of those two are labelled, both ne_proliv: 4 false alarms among 100 crops.
    for _ in range(96):
        made.crop(1.2)
    alarms = [made.crop(3.0) for _ in range(4)]
    for crop in alarms[:2]:
        made.label(crop, "ne_proliv")
    found = evidence(made)
    high = found.scores.normal == 3.0
    assert found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum() == pytest.approx(0.04)


def test_that_nothing_was_drawn_at_random_is_said_until_something_is(made: MadeUp) -> None:
    for crop in (made.crop(3.0), made.crop(1.2), made.crop(1.3)):
        made.label(crop, "ne_proliv")
    assert any("monitor label --audit" in note for note in evidence(made).notes)
    made.draw([2], eligible=2)
    assert not any("monitor label --audit" in note for note in evidence(made).notes)


def test_contradictions_are_set_aside_until_they_are_settled(made: MadeUp) -> None:
    crop = made.crop(1.5)
    made.label(crop, "ne_proliv", author="ann")
    made.label(crop, "proliv", author="bob", at=NOW + timedelta(minutes=1))
    found = evidence(made)
    assert 1.5 not in [*found.scores.normal.tolist(), *found.scores.proliv.tolist()]
    assert found.set_aside == [
        "/inbox/1.jpg: ann says ne_proliv, bob says proliv; settle it: monitor label /inbox/1.jpg --as … --settle"
    ]
    made.label(crop, "proliv", author="carl", at=NOW + timedelta(minutes=2), settles=True)
    assert evidence(made).set_aside == []
    assert 1.5 in evidence(made).scores.proliv


def test_many_contradictions_are_counted(made: MadeUp) -> None:
    for _ in range(5):
        crop = made.crop(1.5)
        made.label(crop, "ne_proliv", author="ann")
        made.label(crop, "proliv", author="bob", at=NOW + timedelta(minutes=1))
    assert len(evidence(made).set_aside) == 4
    assert evidence(made).set_aside[-1] == "and 2 more contents with contradictory labels"


@pytest.mark.parametrize(("count", "minutes", "is_flood"), [(6, 1, True), (5, 1, False), (6, 15, False), (30, 1, True)])
def test_a_flood_of_one_author_is_named_and_set_aside(made: MadeUp, count: int, minutes: int, is_flood: bool) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(count):
        crop = made.crop(1.5, camera=f"K{index}")
        made.label(crop, "proliv", author="eve", at=NOW + timedelta(minutes=1 + index * minutes))
    made.label(made.crop(1.6), "proliv", author="ann", at=NOW + timedelta(minutes=3))
    found = evidence(made, settings)
    assert (1.5 in found.scores.proliv) is not is_flood
    assert 1.6 in found.scores.proliv
    words = f"{count} labels of eve were given faster than 5 an hour, from 2026-03-02 03:01 to "
    assert any(words in sentence for sentence in found.set_aside) is is_flood
    assert 1.5 in evidence(made, settings, accept=True).scores.proliv


def test_a_flood_of_one_event_is_named_and_set_aside(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        crop = made.crop(9.0, at=NOW + index * timedelta(seconds=5))
        made.label(crop, "proliv", author=f"author {index}", at=NOW + timedelta(hours=1 + 2 * index))
    found = evidence(made, settings)
    assert 9.0 not in found.scores.proliv
    assert "6 proliv labels are of one event, on camera C at 2026-03-02 03:00 UTC" in found.set_aside[0]


def test_an_accepted_flood_stays_accepted_and_a_later_one_is_not(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5, minimum_proliv=1, minimum_normal=1, largest_jump=100)
    rules = midpoint(settings)

    def flood(score: float, at: timedelta) -> None:
        for _ in range(6):
            made.label(made.crop(score), "proliv", author="eve", at=NOW + at)

    flood(3.5, DAY)
    (outcome,) = recalibrate(made.database, rules, ChangeRequest(NOW + 2 * DAY, "recalibrate", accept=True))
    assert outcome.result == "activated"
    flood(3.0, 3 * DAY)
    # A nightly calibration between does not accept what nobody has looked at.
    recalibrate(made.database, rules, ChangeRequest(NOW + 4 * DAY, "nightly"))
    found = evidence(made, settings, days=5)
    assert 3.5 in found.scores.proliv
    assert 3.0 not in found.scores.proliv
    assert len(found.set_aside) == 1


def test_crops_that_came_with_their_label_are_no_false_alarms_of_the_line(made: MadeUp) -> None:
    made.crop(1.0)
    made.label(made.crop(3.0, source="labelled"), "ne_proliv")
    found = evidence(made)
    assert found.scores.normal_weights.tolist() == [1.0] * 11
    assert found.items[0].crop is not None
    assert found.items[0].label is Label.NE_PROLIV


def test_without_any_ne_proliv_there_is_evidence_all_the_same(made: MadeUp) -> None:
    with made.database.write() as connection:
        connection.execute(delete(reference_scores))  # as in a database from before references were kept
    found = evidence(made)
    assert (len(found.scores.normal), len(found.scores.proliv)) == (0, 0)
    made.label(made.crop(9.0), "proliv")
    assert evidence(made).scores.proliv.tolist() == [9.0]


def test_strata_keep_their_shares_whatever_their_ages(made: MadeUp) -> None:
    late = NOW + 180 * DAY
    for _ in range(96):
        made.crop(1.0, at=late - DAY)
    for _ in range(4):
        made.label(made.crop(2.5, at=late - DAY), "ne_proliv", at=late - DAY)
    found = evidence(made, Calibration(half_life_days=30), days=180)
    high = found.scores.normal == 2.5
    assert found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum() == pytest.approx(0.04)


def test_labels_that_are_set_aside_do_not_say_what_alarms_are_worth(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    made.label(made.crop(3.0), "ne_proliv", at=NOW + DAY)
    shares = []
    for label in ("proliv", "ne_proliv"):
        for index in range(6):
            made.label(made.crop(3.0, camera=f"K{index}"), label, author="eve", at=NOW + 2 * DAY)
        made.crop(1.0)
        found = evidence(made, settings, days=3)
        assert len(found.set_aside) == 1
        high = found.scores.normal == 3.0
        shares.append(found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum())
    # All labelled alarms that count are false: so are all, as far as anybody knows, which is 7 of 7 and 13 of 14.
    assert shares == pytest.approx([7 / 8, 13 / 15])


def test_a_flood_takes_no_reference_away(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        made.label(made.crop(4.0, content=f"p{index}"), "ne_proliv", author="eve", at=NOW + timedelta(hours=1))
    found = evidence(made, settings)
    assert len(found.set_aside) == 1
    assert found.scores.proliv.tolist() == [4.0] * 10


def test_correcting_a_part_of_a_flood_does_not_let_the_rest_pass(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [made.crop(1.5, camera=f"K{index}") for index in range(8)]
    for crop in crops:
        made.label(crop, "proliv", author="eve", at=NOW + timedelta(hours=1))
    for crop in crops[:5]:
        made.label(crop, "ne_proliv", author="eve", at=NOW + DAY)
    found = evidence(made, settings, days=2)
    assert 1.5 not in found.scores.proliv
    assert found.scores.normal.tolist().count(1.5) == 5


def test_a_back_dated_flood_is_one_too(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        crop = made.crop(1.5, camera=f"K{index}")
        made.label(crop, "proliv", author="eve", at=NOW - (index + 1) * DAY, recorded_at=NOW + timedelta(hours=1))
    assert 1.5 not in evidence(made, settings).scores.proliv


def test_a_labelled_reference_without_a_score_of_its_crop_keeps_its_own(made: MadeUp) -> None:
    crop = made.crop(77.0, content="p3")
    with made.database.write() as connection:
        connection.execute(delete(scores).where(scores.c.crop_id == crop))
    made.label(crop, "ne_proliv")
    found = evidence(made)
    assert sorted(found.scores.normal.tolist()) == [1.0] * 10 + [4.0]
    assert len(found.scores.proliv) == 9


def test_taking_a_flood_back_leaves_the_labels_of_before(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [made.crop(5.0, camera=f"K{index}", at=NOW + index * DAY) for index in range(8)]
    for index, crop in enumerate(crops):
        made.label(crop, "proliv", author="eve", at=NOW + index * DAY)
    for label, minutes in (("ne_proliv", 0), ("proliv", 10)):
        for crop in crops:
            made.label(crop, label, author="eve", at=NOW + 20 * DAY + timedelta(minutes=minutes))
    found = evidence(made, settings, days=21)
    assert found.scores.proliv.tolist().count(5.0) == 8
    assert len(found.set_aside) == 1


def test_a_flood_that_was_corrected_slowly_is_named_no_more(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [made.crop(1.5, camera=f"K{index}") for index in range(6)]
    for crop in crops:
        made.label(crop, "proliv", author="eve", at=NOW + timedelta(hours=1))
    for index, crop in enumerate(crops):
        made.label(crop, "ne_proliv", author="eve", at=NOW + (index + 1) * DAY)
    found = evidence(made, settings, days=10)
    assert found.set_aside == []
    assert found.scores.normal.tolist().count(1.5) == 6


def test_what_a_clock_that_ran_ahead_accepted_is_not_accepted(made: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5, minimum_proliv=1, minimum_normal=1)
    recalibrate(made.database, midpoint(settings), ChangeRequest(NOW + 3650 * DAY, "recalibrate", accept=True))
    for index in range(6):
        made.label(made.crop(1.5, camera=f"K{index}"), "proliv", author="eve", at=NOW + DAY)
    found = evidence(made, settings, days=2)
    assert 1.5 not in found.scores.proliv
    made.label(made.crop(1.7), "ne_proliv", at=NOW + DAY)
    assert [item.score for item in evidence(made, settings, days=2).newest] == [1.7]


def test_what_the_model_was_trained_on_is_no_evidence_of_ne_proliv(made: MadeUp) -> None:
    for score, label in ((1.5, "ne_proliv"), (1.6, "ne_proliv"), (3.0, "proliv")):
        made.label(made.crop(score), label)
    with made.database.read() as connection:
        found = gather_evidence(
            connection, made.model.id, AGELESS, now=NOW + DAY, trained_on={f"{number:064d}" for number in (1, 3)}
        )
    assert 1.5 not in found.scores.normal
    assert 1.6 in found.scores.normal
    assert 3.0 in found.scores.proliv
    assert found.set_aside == ["1 crops labelled ne_proliv are among those that the model was trained on"]


def test_percentiles_of_equal_weights_are_the_usual_ones() -> None:
    scores = np.random.default_rng(0).normal(size=37)
    assert percentiles(scores, np.ones(37)) == pytest.approx(np.quantile(scores, np.linspace(0, 1, 101)).tolist())
    assert percentiles(np.empty(0), np.empty(0)) == []
    assert percentiles(np.array([2.0]), np.ones(1)) == [2.0] * 101
    heavy = percentiles(np.array([1.0, 2.0, 3.0]), np.array([0.1, 9.8, 0.1]))
    assert heavy[50] == pytest.approx(2.5, abs=0.5)
