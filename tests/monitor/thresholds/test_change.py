from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete

from monitor.api import ThresholdRule
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Calibration, Settings
from monitor.errors import ConfigurationError, EvidenceMissingError, NoModelError
from monitor.registry import Registry
from monitor.store import calibrations as stored
from monitor.store import models, references
from monitor.store.database.schema import reference_scores
from monitor.store.replay import Span, between, nearest, replay
from monitor.thresholds.calibration import recalibrate, set_threshold
from monitor.thresholds.change import Change, ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.thresholds.replay import replay_and_evaluate
from monitor.thresholds.rules import Rules
from monitor.words import Refusal
from plugins.rules import Fixed, FractionOfMax, MeanProliv
from tests.support.made_up import NOW, MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.api import ScoreEvidence

DAY = timedelta(days=1)
LOW = Calibration(minimum_proliv=2, minimum_normal=5, half_life_days=0)
SHADOW = LOW.model_copy(update={"shadow": True})


class NoSettings(BaseModel):
    model_config = ConfigDict(frozen=True)


class Odd(ThresholdRule):
    """A rule of a third party that fails in every way there is."""

    name = "odd"
    Settings: ClassVar = NoSettings
    answer: float | Exception = math.nan

    def choose(self, evidence: ScoreEvidence) -> float:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def odd(answer: float | Exception) -> Rules:
    rule = Odd(NoSettings())
    rule.answer = answer
    return midpoint(LOW, rule)


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    """A model whose threshold, 2, was chosen from normal crops at 1 and proliv at 4."""
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("new_postgresql_database")()
    with made_up(place) as store:
        store.calibrate(midpoint(LOW), [1.0] * 10, [4.0] * 10)
        yield store


def fixed(threshold: float) -> Fixed:
    return Fixed(Fixed.Settings(threshold=threshold))


def night(made: MadeUp, rules: Rules, days: float = 1, run_id: int | None = None) -> Change:
    (outcome,) = recalibrate(made.database, rules, ChangeRequest(NOW + days * DAY, "nightly", run_id))
    return outcome


def test_the_first_threshold_needs_no_guard_and_activates_the_model(tmp_path: Path) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), [1.0], [4.0, 4.0])
        assert (outcome.result, outcome.threshold, outcome.before, outcome.fallback) == ("activated", 2.0, None, False)
        assert made.model.active
        assert made.active().evidence["data"].endswith("labelled-crops")
        with made.database.read() as connection:
            assert len(references.references_of(connection, made.model.id)) == 3


def test_with_too_little_proliv_the_fallback_chooses_and_is_marked(tmp_path: Path) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), np.linspace(0, 1, 101).tolist(), [9.0])
        assert (outcome.rule, outcome.fallback) == ("normal-quantile", True)
        assert outcome.threshold == pytest.approx(0.99)
        assert made.active().fallback
        with made.database.read() as connection:
            (model,) = models.active_models(connection)
            row = stored.active(connection, model.id)
            assert row is not None
            assert row.fallback
        # Proliv is labelled: the threshold is a real one again.
        for _ in range(3):
            made.label(made.crop(1.3), "proliv")
        again = night(made, midpoint(LOW))
        assert (again.result, again.rule, again.fallback) == ("activated", "quantile-midpoint", False)
        assert not made.active().fallback


def test_a_fallback_does_not_take_the_place_of_a_real_threshold(made: MadeUp) -> None:
    outcome = made.calibrate(midpoint(LOW), [1.0] * 10, [])
    assert (outcome.refusal, made.active().threshold) == (Refusal.TOO_FEW_PROLIV, 2.0)
    assert "0 labelled proliv crops are fewer than calibration.minimum_proliv 2" in (outcome.reason or "")
    assert made.calibrate(midpoint(LOW), [1.0] * 10, [], accept=True).fallback


def test_a_rule_that_somebody_asked_for_is_never_replaced_by_the_fallback(tmp_path: Path) -> None:
    rules = midpoint(LOW)
    explicit = Rules(rules.rule, rules.fallback, rules.settings, explicit=True)
    with made_up(tmp_path) as made, pytest.raises(EvidenceMissingError, match="needs at least one labelled crop"):
        made.calibrate(explicit, [1.0] * 10, [])


def test_nothing_new_changes_nothing(made: MadeUp) -> None:
    before = made.rows()
    assert night(made, midpoint(LOW)).result == "unchanged"
    assert made.rows() == before


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


@pytest.mark.parametrize(
    ("answer", "refusal", "words"),
    [
        (math.nan, Refusal.NO_THRESHOLD, "chose nan, which is no threshold"),
        (math.inf, Refusal.NO_THRESHOLD, "chose inf, which is no threshold"),
        (ZeroDivisionError("oh"), Refusal.NO_THRESHOLD, "the rule 'odd' failed: ZeroDivisionError: oh"),
        (EvidenceMissingError("needs a comet"), Refusal.EVIDENCE_MISSING, "needs a comet"),
        (9.0, Refusal.LARGE_JUMP, "by 350%"),
    ],
)
def test_a_refused_threshold_is_kept_with_its_reason_and_the_old_one_stands(
    made: MadeUp, answer: float | Exception, refusal: Refusal, words: str
) -> None:
    before = made.active()
    outcome = night(made, odd(answer))
    assert (outcome.result, outcome.refusal) == ("refused", refusal)
    assert made.active() == before
    refused = made.rows()[-1]
    assert (refused.state, refused.refusal, refused.reason) == ("refused", refusal, outcome.reason)
    assert words in (refused.reason or "")
    assert refused.threshold == (answer if answer == 9.0 else None)


def test_too_few_normal_crops_are_refused(made: MadeUp) -> None:
    outcome = night(made, midpoint(LOW.model_copy(update={"minimum_normal": 11})))
    assert outcome.refusal == Refusal.TOO_FEW_NORMAL
    assert "10 labelled ne_proliv crops are fewer than calibration.minimum_normal 11" in (outcome.reason or "")


def test_what_decides_the_newest_labels_worse_is_refused_unless_accepted(made: MadeUp) -> None:
    for _ in range(10):
        made.label(made.crop(1.8), "ne_proliv", at=NOW + timedelta(hours=1))
    rules = odd(1.7)
    refused = night(made, rules)
    assert refused.refusal == Refusal.WORSE_TNR
    (accepted,) = recalibrate(made.database, rules, ChangeRequest(NOW + DAY, "recalibrate", accept=True))
    assert (accepted.result, made.active().threshold) == ("activated", 1.7)


def test_a_dry_run_changes_nothing(made: MadeUp) -> None:
    before = made.rows()
    (outcome,) = recalibrate(made.database, odd(2.2), ChangeRequest(NOW + DAY, "recalibrate"), dry_run=True)
    assert (outcome.result, outcome.threshold) == ("activated", 2.2)
    (outcome,) = recalibrate(made.database, odd(9.0), ChangeRequest(NOW + DAY, "recalibrate"), dry_run=True)
    assert outcome.result == "refused"
    assert made.rows() == before


def test_a_run_that_is_taken_up_again_does_no_model_twice(made: MadeUp) -> None:
    run = _run(made)
    assert night(made, odd(2.2), run_id=run).result == "activated"
    again = night(made, odd(2.4), run_id=run)
    assert (again.result, again.threshold) == ("activated", 2.2)
    assert [row.threshold for row in made.rows()] == [2.0, 2.2]


def test_a_threshold_in_the_shadow_counts_after_its_trial(made: MadeUp) -> None:
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW)
    first = night(made, rules, 1)
    assert (first.result, made.active().threshold) == ("shadow", 2.0)
    assert "until 2026-03-06 03:00 UTC" in (first.reason or "")
    for score in (1.0, 2.1, 2.1, 5.0):
        made.crop(score, at=NOW + 2 * DAY)
    waiting = night(made, rules, 3)
    assert waiting.result == "shadow"
    assert "of 4 crops since, it would turn 0 into proliv and 2 into ne_proliv" in (waiting.reason or "")
    assert len(made.rows()) == 2
    run = _run(made)
    promoted = night(made, rules, 4, run)
    assert (promoted.result, made.active().threshold) == ("activated", 2.2)
    assert night(made, rules, 4, run).threshold == 2.2
    assert len(made.rows()) == 2
    assert made.active().evidence["shadow"] == {
        "until": "2026-03-06T03:00:00+00:00", "crops": 4, "proliv": 1, "to_proliv": 0, "to_ne_proliv": 2,
    }  # fmt: skip


def test_a_trial_that_goes_wrong_is_refused(made: MadeUp) -> None:
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW)
    assert night(made, rules, 1).result == "shadow"
    for index in range(10):
        crop = made.crop(2.1, at=NOW + 2 * DAY + index * timedelta(hours=1))
        made.label(crop, "proliv", at=NOW + 3 * DAY)
    outcome = night(made, rules, 5)
    assert (outcome.result, outcome.refusal, made.active().threshold) == ("refused", Refusal.WORSE_TPR, 2.0)
    assert made.rows()[-1].state == "refused"


def test_a_threshold_by_hand_ends_a_trial_and_is_guarded_too(made: MadeUp) -> None:
    night(made, Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW), 1)
    by = ChangeRequest(NOW + 2 * DAY, "set", author="ann", reason="new lamps")
    refused = set_threshold(made.database, made.model, fixed(7.0), SHADOW, by)
    assert (refused.result, refused.refusal) == ("refused", Refusal.LARGE_JUMP)
    done = set_threshold(made.database, made.model, fixed(2.5), SHADOW, by)
    assert done.result == "activated"
    active = made.active()
    assert (active.threshold, active.reason, active.author, active.origin) == (2.5, "new lamps", "ann", "set")
    with made.database.read() as connection:
        assert stored.shadow(connection, made.model.id) is None
    assert [row.state for row in made.rows()] == ["superseded", "refused", "refused", "active"]
    assert made.rows()[1].refusal == Refusal.WITHDRAWN
    # What was only tried never comes back.
    assert _rolled_back(made, 3) == (2.5, 2.0)


def test_rolling_back_goes_further_back_each_time_and_the_night_respects_it(made: MadeUp) -> None:
    night(made, odd(2.2), 1)
    night(made, odd(2.4), 2)
    assert _rolled_back(made, 3) == (2.4, 2.2)
    assert night(made, odd(2.4), 4).refusal == Refusal.ROLLED_BACK
    assert made.active().threshold == 2.2
    # Something was labelled since: the rule may have its way.
    made.label(made.crop(1.0), "ne_proliv", at=NOW + 5 * DAY)
    assert night(made, odd(2.4), 6).result == "activated"
    assert _rolled_back(made, 7) == (2.4, 2.2)
    assert _rolled_back(made, 7) == (2.2, 2.0)
    assert _rolled_back(made, 7) is None


def test_a_trial_without_a_crop_goes_on(made: MadeUp) -> None:
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW)
    night(made, rules, 1)
    assert night(made, rules, 200).result == "shadow"
    made.crop(1.0, at=NOW + 200 * DAY)
    assert night(made, rules, 201).result == "activated"


def test_a_trial_is_judged_by_what_was_labelled_meanwhile_alone(made: MadeUp) -> None:
    for index in range(500):
        made.label(made.crop(6.0, camera=f"C{index}"), "proliv", at=NOW + timedelta(hours=1))
    settings = SHADOW.model_copy(update={"flood_labels": 1000})
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, settings)
    assert night(made, rules, 1).result == "shadow"
    for index in range(10):
        made.label(made.crop(2.1, camera=f"D{index}", at=NOW + 2 * DAY), "proliv", at=NOW + 2 * DAY)
    assert night(made, rules, 6).refusal == Refusal.WORSE_TPR


def test_a_trial_that_began_in_the_future_is_withdrawn(made: MadeUp) -> None:
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW)
    assert night(made, rules, 3650).result == "shadow"
    assert night(made, rules, 1).refusal == Refusal.WITHDRAWN
    assert night(made, rules, 2).result == "shadow"


def test_to_accept_during_a_trial_is_to_choose_anew(made: MadeUp) -> None:
    night(made, Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW), 1)
    other = Rules(odd(2.3).rule, midpoint(LOW).fallback, SHADOW)
    (outcome,) = recalibrate(made.database, other, ChangeRequest(NOW + 2 * DAY, "recalibrate", accept=True))
    assert (outcome.result, made.active().threshold) == ("activated", 2.3)
    assert [row.state for row in made.rows()] == ["superseded", "refused", "active"]


def test_a_rollback_passes_over_what_was_accepted_without_a_change(made: MadeUp) -> None:
    night(made, odd(2.2), 1)
    for days in (2, 3):
        recalibrate(made.database, odd(2.2), ChangeRequest(NOW + days * DAY, "recalibrate", accept=True))
    assert _rolled_back(made, 4) == (2.2, 2.0)


def test_a_model_has_one_trial_at_most(made: MadeUp) -> None:
    rules = Rules(odd(2.2).rule, midpoint(LOW).fallback, SHADOW)

    class Slow(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            night(made, rules, 1)
            return 2.3

    other = Rules(Slow(NoSettings()), midpoint(LOW).fallback, SHADOW)
    assert night(made, other, 1).threshold == 2.2
    assert [(row.threshold, row.state) for row in made.rows()] == [(2.0, "active"), (2.2, "shadow")]


def test_a_threshold_by_hand_does_not_blind_the_guard_to_labels_that_it_was_not_chosen_from(made: MadeUp) -> None:
    for _ in range(10):
        made.label(made.crop(1.8), "ne_proliv", at=NOW + timedelta(hours=1))
    assert night(made, odd(1.7), 1).refusal == Refusal.WORSE_TNR
    by = ChangeRequest(NOW + 1.5 * DAY, "set", accept=True)
    assert set_threshold(made.database, made.model, fixed(2.001), LOW, by).result == "activated"
    assert night(made, odd(1.7), 2).refusal == Refusal.WORSE_TNR


def test_to_accept_a_threshold_by_hand_is_not_to_accept_labels(made: MadeUp) -> None:
    settings = LOW.model_copy(update={"flood_labels": 5})
    for index in range(6):
        made.label(made.crop(1.7, camera=f"C{index}"), "proliv", at=NOW + timedelta(hours=1))
    by = ChangeRequest(NOW + DAY, "set", accept=True)
    set_threshold(made.database, made.model, fixed(2.02), settings, by)
    assert made.active().evidence["accepted_until"] is None
    rules = midpoint(settings)
    assert "6 labels of ann were given faster than 5 an hour" in night(made, rules, 2).notes[0]
    # Who accepts them by choosing anew has accepted them, even where the threshold stays.
    (accepted,) = recalibrate(
        made.database, midpoint(settings, odd(2.02).rule), ChangeRequest(NOW + 3 * DAY, "recalibrate", accept=True)
    )
    assert accepted.result == "activated"
    assert not [note for note in night(made, midpoint(settings, odd(2.02).rule), 4).notes if "faster" in note]


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


def test_the_trouble_of_one_model_does_not_keep_the_others_from_their_thresholds(made: MadeUp) -> None:
    other = add_second_model(made)

    class Choosy(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            return 2.2

    def gather(connection: object, model_id: int, *rest: object, **options: object) -> object:
        if model_id == other:
            raise ZeroDivisionError
        return real(connection, model_id, *rest, **options)  # type: ignore[arg-type]

    real = gather_evidence
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.thresholds.calibration.gather_evidence", gather)
        with pytest.raises(ZeroDivisionError):
            recalibrate(made.database, midpoint(LOW, Choosy(NoSettings())), ChangeRequest(NOW + DAY, "nightly"))
    with made.database.read() as connection:
        row = stored.active(connection, 1)
    assert row is not None
    assert row.threshold == 2.2


def test_a_fallback_that_needs_proliv_is_refused_before_it_is_needed() -> None:
    settings = Settings(calibration=Calibration(fallback_rule="stump"))
    configuration = Configuration(settings=settings, file=None)
    with pytest.raises(ConfigurationError, match=r"calibration.fallback_rule: 'stump' cannot choose without proliv"):
        Rules.of(Registry.load(), configuration)


def test_a_line_without_proliv_that_names_its_rule_itself_can_recalibrate(tmp_path: Path) -> None:
    rules = midpoint(LOW)
    explicit = Rules(rules.fallback, rules.fallback, rules.settings, explicit=True)
    with made_up(tmp_path) as made:
        assert made.calibrate(explicit, np.linspace(0, 1, 101).tolist(), []).fallback
        assert night(made, midpoint(LOW)).result == "unchanged"


def test_calibrating_by_hand_again_is_guarded_and_a_refused_one_keeps_the_references(made: MadeUp) -> None:
    outcome = made.calibrate(midpoint(LOW, FractionOfMax(FractionOfMax.Settings())), [1.0], [400.0] * 2)
    assert (outcome.result, outcome.refusal) == ("refused", Refusal.LARGE_JUMP)
    with made.database.read() as connection:
        assert len(references.references_of(connection, made.model.id)) == 20
    accepted = made.calibrate(midpoint(LOW, MeanProliv(MeanProliv.Settings())), [1.0], [400.0] * 2, accept=True)
    assert accepted.result == "activated"
    with made.database.read() as connection:
        assert len(references.references_of(connection, made.model.id)) == 3


def test_a_threshold_that_is_changed_meanwhile_is_judged_again(made: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[bool] = []

    class Slow(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            if not interrupted:
                interrupted.append(True)
                night(made, odd(2.1))
            return 2.3

    outcome = night(made, midpoint(LOW, Slow(NoSettings())))
    assert outcome.before == 2.1
    assert [(row.threshold, row.state) for row in made.rows()] == [
        (2.0, "superseded"), (2.1, "superseded"), (2.3, "active"),
    ]  # fmt: skip


def test_a_model_without_a_threshold_cannot_be_recalibrated(tmp_path: Path) -> None:
    with made_up(tmp_path) as made, pytest.raises(NoModelError, match="has no threshold yet: monitor calibrate"):
        recalibrate(made.database, midpoint(LOW), ChangeRequest(NOW, "recalibrate"), names=["made-up-1"])


@pytest.mark.parametrize("scores", [[1.0] * 8, [0.0] * 8, [1e-300] * 8])
def test_equal_scores_of_both_classes_give_a_threshold_within_their_range(tmp_path: Path, scores: list[float]) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), scores, scores)
        assert outcome.threshold == pytest.approx(scores[0])


def test_a_replay_at_the_active_threshold_changes_nothing(made: MadeUp) -> None:
    generator = np.random.default_rng(3)
    for score in [*generator.lognormal(0.5, 1, 60).tolist(), 2.0]:
        made.crop(score)
    with made.database.read() as connection:
        done = replay(connection, made.model.id, 2.0, Span())
    assert (done.crops, done.to_proliv, done.to_ne_proliv) == (61, 0, 0)


def test_a_replay_counts_every_verdict_that_changes(made: MadeUp) -> None:
    crops = {score: made.crop(score, hole=int(score), at=NOW + score * DAY) for score in (1.0, 2.0, 2.5, 3.0, 9.0)}
    for score, label in ((1.0, "ne_proliv"), (2.5, "ne_proliv"), (9.0, "proliv")):
        made.label(crops[score], label)
    with made.database.read() as connection:
        done, evaluation = replay_and_evaluate(connection, made.model.id, 2.6, Span())
        assert done == (5, 2, 0, 2)
        assert (evaluation.tp, evaluation.fp, evaluation.tn, evaluation.fn) == (1, 0, 2, 0)
        done, evaluation = replay_and_evaluate(connection, made.model.id, 0.5, Span(hole=2))
        assert done == (2, 2, 0, 0)
        assert (evaluation.n, evaluation.fp) == (1, 1)
        assert replay(connection, made.model.id, 0.5, Span(since=NOW + 2 * DAY, until=NOW + 3 * DAY)).crops == 2
        assert between(connection, made.model.id, 2.0, 3.0) == 2
        near = nearest(connection, made.model.id, 2.0, 9.5, to=2.9, most=2)
        assert [crop.score for crop in near] == [3.0, 2.5]


def add_second_model(made: MadeUp) -> int:
    """Another detector's model with a threshold of 2, activated before the first."""
    with made.database.write() as connection:
        models.add_model(connection, name="other-1", detector="other", fingerprint="e" * 64, folder="o", settings={})
        row = models.find_model(connection, "other-1")
        stored.add(connection, model_id=row.id, rule="r", settings={}, threshold=2.0, evidence={}, now=NOW)
        models.activate_model(connection, models.find_model(connection, "other-1"))
    return row.id


def _run(made: MadeUp) -> int:
    from monitor.store import runs

    with made.database.write() as connection:
        run = runs.claim(connection, "job", NOW, owner="me", now=NOW, lease=DAY)
    assert run is not None
    return run


def _rolled_back(made: MadeUp, days: float) -> tuple[float | None, float | None] | None:
    with made.database.write() as connection:
        done = stored.roll_back(connection, made.model.id, NOW + days * DAY)
    return None if done is None else (done[0].threshold, done[1].threshold)
