from __future__ import annotations

import math
from datetime import timedelta

import pytest
from sqlalchemy import delete

from monitor.store.database.schema import reference_scores
from monitor.thresholds.calibration import recalibrate, set_threshold
from monitor.thresholds.change import ChangeRequest
from monitor.words import Refusal
from tests.support.made_up import NOW, MadeUp, midpoint
from tests.support.made_up_rules import (
    DAY,
    LOW,
    fixed,
    night,
    odd,
    roll_back,
)


def test_a_fallback_does_not_take_the_place_of_a_real_threshold(made: MadeUp) -> None:
    outcome = made.calibrate(midpoint(LOW), [1.0] * 10, [])
    assert (outcome.refusal, made.active().threshold) == (Refusal.TOO_FEW_PROLIV, 2.0)
    assert "0 labelled proliv crops are fewer than calibration.minimum_proliv 2" in (outcome.reason or "")
    assert made.calibrate(midpoint(LOW), [1.0] * 10, [], accept=True).fallback


def test_what_decides_the_newest_labels_worse_is_refused_unless_accepted(made: MadeUp) -> None:
    for _ in range(10):
        made.label(made.crop(1.8), "ne_proliv", at=NOW + timedelta(hours=1))
    rules = odd(1.7)
    refused = night(made, rules)
    assert refused.refusal == Refusal.WORSE_TNR
    (accepted,) = recalibrate(made.database, rules, ChangeRequest(NOW + DAY, "recalibrate", accept=True))
    assert (accepted.result, made.active().threshold) == ("activated", 1.7)


def test_new_labels_move_the_threshold_and_the_row_says_from_what(made: MadeUp) -> None:
    for index in range(20):
        made.label(made.crop(1.5), "ne_proliv", at=NOW + timedelta(minutes=index))
    outcome = night(made, midpoint(LOW))
    assert outcome.result == "activated"
    assert outcome.threshold == pytest.approx(math.sqrt(1.5 * 4))
    first, second = made.rows()
    assert (first.state, first.ended_at) == ("superseded", NOW + DAY)
    assert (second.state, second.origin, second.threshold) == ("active", "nightly", outcome.threshold)
    evidence = second.evidence
    assert (evidence["normal_crops"], evidence["proliv_crops"], evidence["proliv_events"]) == (30, 10, 10)
    assert (evidence["references"], evidence["labelled"]) == (20, 20)
    assert evidence["newest"] == {"proliv": {"lost": 0, "of": 0}, "ne_proliv": {"lost": 0, "of": 19}}
    assert (evidence["tpr"], evidence["tnr"]) == (1.0, 1.0)


def test_without_evidence_of_a_class_what_was_known_of_its_scores_stays(made: MadeUp) -> None:
    before = made.active().evidence
    with made.database.write() as connection:
        connection.execute(delete(reference_scores))
    by = ChangeRequest(NOW + DAY, "set")
    assert set_threshold(made.database, made.model, fixed(2.1), LOW, by).result == "activated"
    after = made.active().evidence
    assert after["normal_percentiles"] == before["normal_percentiles"]
    assert after["proliv_percentiles"] == before["proliv_percentiles"]
    assert night(made, midpoint(LOW), 2).refusal == Refusal.TOO_FEW_NORMAL


def test_what_a_change_costs_on_all_of_the_evidence_is_told(made: MadeUp) -> None:
    (outcome,) = recalibrate(made.database, odd(4.5), ChangeRequest(NOW + DAY, "recalibrate", accept=True))
    assert (
        "of all 10 labelled proliv crops it decides 10 wrongly that the threshold 2 decides correctly" in outcome.notes
    )


def test_nothing_new_changes_nothing(made: MadeUp) -> None:
    before = made.rows()
    assert night(made, midpoint(LOW)).result == "unchanged"
    assert made.rows() == before


def test_a_threshold_by_hand_does_not_blind_the_guard_to_labels_that_it_was_not_chosen_from(made: MadeUp) -> None:
    for _ in range(10):
        made.label(made.crop(1.8), "ne_proliv", at=NOW + timedelta(hours=1))
    assert night(made, odd(1.7), 1).refusal == Refusal.WORSE_TNR
    by = ChangeRequest(NOW + 1.5 * DAY, "set", accept=True)
    assert set_threshold(made.database, made.model, fixed(2.001), LOW, by).result == "activated"
    assert night(made, odd(1.7), 2).refusal == Refusal.WORSE_TNR


def test_rolling_back_goes_further_back_each_time_and_the_night_respects_it(made: MadeUp) -> None:
    night(made, odd(2.2), 1)
    night(made, odd(2.4), 2)
    assert roll_back(made, 3) == (2.4, 2.2)
    assert night(made, odd(2.4), 4).refusal == Refusal.ROLLED_BACK
    assert made.active().threshold == 2.2
    # Something was labelled since: the rule may have its way.
    made.label(made.crop(1.0), "ne_proliv", at=NOW + 5 * DAY)
    assert night(made, odd(2.4), 6).result == "activated"
    assert roll_back(made, 7) == (2.4, 2.2)
    assert roll_back(made, 7) == (2.2, 2.0)
    assert roll_back(made, 7) is None
