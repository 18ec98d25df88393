from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.labels.undo import undo
from monitor.store.labels import newest_action
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.rules import Rules
from monitor.words import Refusal
from tests.support.made_up import NOW, MadeUp, midpoint
from tests.support.made_up_rules import (
    DAY,
    LOW,
    SHADOW,
    NoSettings,
    Odd,
    claim_run,
    night,
    odd_in_shadow,
)

if TYPE_CHECKING:
    from monitor.api import ScoreEvidence


def test_a_threshold_in_the_shadow_counts_after_its_trial(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)
    first = night(made, rules, 1)
    assert (first.result, made.active().threshold) == ("shadow", 2.0)
    assert "until 2026-03-06 03:00:00+00:00" in (first.reason or "")
    for score in (1.0, 2.1, 2.1, 5.0):
        made.crop(score, at=NOW + 2 * DAY)
    waiting = night(made, rules, 3)
    assert waiting.result == "shadow"
    assert "of 4 crops since, it would turn 0 into proliv and 2 into ne_proliv" in (waiting.reason or "")
    assert len(made.rows()) == 2
    run = claim_run(made)
    promoted = night(made, rules, 4, run)
    assert (promoted.result, made.active().threshold) == ("activated", 2.2)
    assert night(made, rules, 4, run).threshold == 2.2
    assert len(made.rows()) == 2
    assert made.active().evidence["shadow"] == {
        "until": "2026-03-06T03:00:00+00:00", "crops": 4, "proliv": 1, "to_proliv": 0, "to_ne_proliv": 2,
    }  # fmt: skip


def test_a_trial_that_goes_wrong_is_refused(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)
    assert night(made, rules, 1).result == "shadow"
    for index in range(10):
        crop = made.crop(2.1, at=NOW + 2 * DAY + index * timedelta(hours=1))
        made.label(crop, "proliv", at=NOW + 3 * DAY)
    outcome = night(made, rules, 5)
    assert (outcome.result, outcome.refusal, made.active().threshold) == ("refused", Refusal.WORSE_TPR, 2.0)
    assert made.rows()[-1].state == "refused"


def test_a_trial_without_a_crop_goes_on(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)
    night(made, rules, 1)
    assert night(made, rules, 200).result == "shadow"
    made.crop(1.0, at=NOW + 200 * DAY)
    assert night(made, rules, 201).result == "activated"


def test_a_trial_is_judged_by_what_was_labelled_meanwhile_alone(made: MadeUp) -> None:
    for index in range(500):
        made.label(made.crop(6.0, camera=f"C{index}"), "proliv", at=NOW + timedelta(hours=1))
    settings = SHADOW.model_copy(update={"flood_labels": 1000})
    rules = odd_in_shadow(2.2, settings)
    assert night(made, rules, 1).result == "shadow"
    for index in range(10):
        made.label(made.crop(2.1, camera=f"D{index}", at=NOW + 2 * DAY), "proliv", at=NOW + 2 * DAY)
    assert night(made, rules, 6).refusal == Refusal.WORSE_TPR


def test_a_trial_ends_when_labels_that_it_was_chosen_from_are_taken_back(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)
    for author, day in (("ann", 0.5), ("bob", 2.5)):
        made.label(made.crop(1.5, at=NOW + day * DAY), "ne_proliv", author=author, at=NOW + day * DAY)
    assert night(made, rules, 1).result == "shadow"

    def take_back(author: str) -> None:
        with made.database.write() as connection:
            undo(connection, newest_action(connection, author), author=author, note=None)

    # What was labelled since the trial began had no part in it.
    take_back("bob")
    assert night(made, rules, 3).result == "shadow"
    take_back("ann")
    outcome = night(made, rules, 5)
    assert (outcome.refusal, made.active().threshold) == (Refusal.WITHDRAWN, 2.0)
    assert night(made, rules, 6).result == "shadow"


def test_a_trial_that_began_in_the_future_is_withdrawn(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)
    assert night(made, rules, 3650).result == "shadow"
    assert night(made, rules, 1).refusal == Refusal.WITHDRAWN
    assert night(made, rules, 2).result == "shadow"


def test_to_accept_during_a_trial_is_to_choose_anew(made: MadeUp) -> None:
    night(made, odd_in_shadow(2.2), 1)
    other = odd_in_shadow(2.3)
    (outcome,) = recalibrate(made.database, other, ChangeRequest(NOW + 2 * DAY, "recalibrate", accept=True))
    assert (outcome.result, made.active().threshold) == ("activated", 2.3)
    assert [row.state for row in made.rows()] == ["superseded", "refused", "active"]


def test_a_model_has_one_trial_at_most(made: MadeUp) -> None:
    rules = odd_in_shadow(2.2)

    class Slow(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            night(made, rules, 1)
            return 2.3

    other = Rules(Slow(NoSettings()), midpoint(LOW).fallback, SHADOW)
    assert night(made, other, 1).threshold == 2.2
    assert [(row.threshold, row.state) for row in made.rows()] == [(2.0, "active"), (2.2, "shadow")]
