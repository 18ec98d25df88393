from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.configuration.settings import Calibration
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import ChangeRequest
from tests.support.made_up import NOW, MadeUp, midpoint
from tests.support.made_up_rules import DAY, evidence


@pytest.mark.parametrize(("count", "minutes", "is_flood"), [(6, 1, True), (5, 1, False), (6, 15, False), (30, 1, True)])
def test_a_flood_of_one_author_is_named_and_set_aside(store: MadeUp, count: int, minutes: int, is_flood: bool) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(count):
        crop = store.crop(1.5, camera=f"K{index}")
        store.label(crop, "proliv", author="eve", at=NOW + timedelta(minutes=1 + index * minutes))
    store.label(store.crop(1.6), "proliv", author="ann", at=NOW + timedelta(minutes=3))
    found = evidence(store, settings)
    assert (1.5 in found.scores.proliv) is not is_flood
    assert 1.6 in found.scores.proliv
    words = f"{count} labels of eve were given faster than 5 an hour, from 2026-03-02 03:01:00+00:00 to "
    assert any(words in sentence for sentence in found.set_aside) is is_flood
    assert 1.5 in evidence(store, settings, accept=True).scores.proliv


def test_a_flood_of_one_incident_is_named_and_set_aside(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        crop = store.crop(9.0, at=NOW + index * timedelta(seconds=5))
        store.label(crop, "proliv", author=f"author {index}", at=NOW + timedelta(hours=1 + 2 * index))
    found = evidence(store, settings)
    assert 9.0 not in found.scores.proliv
    assert "6 proliv labels are of one incident, on camera C at 2026-03-02 03:00:00+00:00" in found.set_aside[0]


def test_an_accepted_flood_stays_accepted_and_a_later_one_is_not(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5, minimum_proliv=1, minimum_normal=1, largest_jump=100)
    rules = midpoint(settings)

    def flood(score: float, at: timedelta) -> None:
        for _ in range(6):
            store.label(store.crop(score), "proliv", author="eve", at=NOW + at)

    flood(3.5, DAY)
    (outcome,) = recalibrate(store.database, rules, ChangeRequest(NOW + 2 * DAY, "recalibrate", accept=True))
    assert outcome.result == "activated"
    flood(3.0, 3 * DAY)
    # A nightly calibration between does not accept what no person has looked at.
    recalibrate(store.database, rules, ChangeRequest(NOW + 4 * DAY, "nightly"))
    found = evidence(store, settings, days=5)
    assert 3.5 in found.scores.proliv
    assert 3.0 not in found.scores.proliv
    assert len(found.set_aside) == 1


def test_a_flood_takes_no_reference_away(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        store.label(store.crop(4.0, content=f"p{index}"), "ne_proliv", author="eve", at=NOW + timedelta(hours=1))
    found = evidence(store, settings)
    assert len(found.set_aside) == 1
    assert found.scores.proliv.tolist() == [4.0] * 10


def test_correcting_a_part_of_a_flood_does_not_let_the_rest_pass(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [store.crop(1.5, camera=f"K{index}") for index in range(8)]
    for crop in crops:
        store.label(crop, "proliv", author="eve", at=NOW + timedelta(hours=1))
    for crop in crops[:5]:
        store.label(crop, "ne_proliv", author="eve", at=NOW + DAY)
    found = evidence(store, settings, days=2)
    assert 1.5 not in found.scores.proliv
    assert found.scores.normal.tolist().count(1.5) == 5


def test_a_back_dated_flood_is_one_too(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    for index in range(6):
        crop = store.crop(1.5, camera=f"K{index}")
        store.label(crop, "proliv", author="eve", at=NOW - (index + 1) * DAY, recorded_at=NOW + timedelta(hours=1))
    assert 1.5 not in evidence(store, settings).scores.proliv


def test_taking_a_flood_back_leaves_the_labels_of_before(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [store.crop(5.0, camera=f"K{index}", at=NOW + index * DAY) for index in range(8)]
    for index, crop in enumerate(crops):
        store.label(crop, "proliv", author="eve", at=NOW + index * DAY)
    for label, minutes in (("ne_proliv", 0), ("proliv", 10)):
        for crop in crops:
            store.label(crop, label, author="eve", at=NOW + 20 * DAY + timedelta(minutes=minutes))
    found = evidence(store, settings, days=21)
    assert found.scores.proliv.tolist().count(5.0) == 8
    assert len(found.set_aside) == 1


def test_a_flood_that_contradicts_others_takes_their_labels_away_no_more_than_its_own(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [store.crop(1.5, camera=f"K{index}") for index in range(8)]
    for index, crop in enumerate(crops):
        store.label(crop, "ne_proliv", author="ann", at=NOW + index * DAY)
    store.label(crops[0], "proliv", author="bob", at=NOW + 9 * DAY)
    for crop in crops:
        store.label(crop, "proliv", author="eve", at=NOW + 20 * DAY)
    found = evidence(store, settings, days=21)
    assert found.scores.normal.tolist().count(1.5) == 7
    assert 1.5 not in found.scores.proliv
    doubtful, flood = found.set_aside
    assert "ann says ne_proliv, bob says proliv; settle it" in doubtful
    assert "8 labels of eve were given faster than 5 an hour" in flood
    # Once they are accepted, all of these labels contradict each other.
    accepted = evidence(store, settings, days=21, accept=True)
    assert 1.5 not in accepted.scores.normal
    assert 1.5 not in accepted.scores.proliv


def test_a_flood_that_was_corrected_slowly_is_named_no_more(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    crops = [store.crop(1.5, camera=f"K{index}") for index in range(6)]
    for crop in crops:
        store.label(crop, "proliv", author="eve", at=NOW + timedelta(hours=1))
    for index, crop in enumerate(crops):
        store.label(crop, "ne_proliv", author="eve", at=NOW + (index + 1) * DAY)
    found = evidence(store, settings, days=10)
    assert found.set_aside == []
    assert found.scores.normal.tolist().count(1.5) == 6


def test_what_a_clock_that_ran_ahead_accepted_is_not_accepted(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5, minimum_proliv=1, minimum_normal=1)
    recalibrate(store.database, midpoint(settings), ChangeRequest(NOW + 3650 * DAY, "recalibrate", accept=True))
    for index in range(6):
        store.label(store.crop(1.5, camera=f"K{index}"), "proliv", author="eve", at=NOW + DAY)
    found = evidence(store, settings, days=2)
    assert 1.5 not in found.scores.proliv
    store.label(store.crop(1.7), "ne_proliv", at=NOW + DAY)
    assert [item.score for item in evidence(store, settings, days=2).newest] == [1.7]
