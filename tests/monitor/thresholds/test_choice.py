from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import ScoreEvidence
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.errors import EvidenceMissingError
from monitor.registry import Registry
from monitor.store import calibrations, models
from monitor.thresholds.rules import Rules
from monitor.words import Refusal
from plugins.rules import Fixed
from tests.support.made_up import MadeUp, made_up, midpoint
from tests.support.made_up_rules import (
    LOW,
    night,
    odd,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_with_too_little_proliv_the_fallback_chooses_and_is_marked(tmp_path: Path) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), np.linspace(0, 1, 101).tolist(), [9.0])
        assert (outcome.rule, outcome.fallback) == ("normal-quantile", True)
        assert outcome.threshold == pytest.approx(0.99)
        assert made.active().fallback
        with made.database.read() as connection:
            (model,) = models.active_models(connection)
            row = calibrations.active(connection, model.id)
            assert row is not None
            assert row.fallback
        # Proliv is labelled: the threshold is a real one again.
        for _ in range(3):
            made.label(made.crop(1.3), "proliv")
        again = night(made, midpoint(LOW))
        assert (again.result, again.rule, again.fallback) == ("activated", "quantile-midpoint", False)
        assert not made.active().fallback


def test_a_detector_s_natural_threshold_takes_the_place_of_the_fallback(tmp_path: Path) -> None:
    natural = Fixed(Fixed.Settings.model_validate({"threshold": 1.0}))
    rules = replace(midpoint(LOW), fallback_of=lambda row: natural if row.detector == "made-up" else None)
    with made_up(tmp_path) as made:
        outcome = made.calibrate(rules, np.linspace(0, 0.7, 101).tolist(), [9.0])
        assert (outcome.rule, outcome.fallback, outcome.threshold) == ("fixed", True, 1.0)
        assert made.active().fallback
        for _ in range(3):
            made.label(made.crop(1.3), "proliv")
        assert night(made, rules).rule == "quantile-midpoint"


def test_proliv_of_few_events_raise_no_threshold_above_the_natural_one(tmp_path: Path) -> None:
    natural = Fixed(Fixed.Settings.model_validate({"threshold": 1.0}))
    cautious = LOW.model_copy(update={"minimum_events": 5})
    rules = replace(midpoint(cautious), fallback_of=lambda _: natural)
    normal = np.linspace(0, 0.7, 101).tolist()
    with made_up(tmp_path) as made:
        far = made.calibrate(rules, normal, [9.0] * 4)
        assert (far.rule, far.fallback, far.threshold) == ("quantile-midpoint", False, 1.0)
        assert any(
            "held at 1, which the score suggests" in note and "come from 4 bleed-outs, fewer than" in note
            for note in far.notes
        )
        assert made.active().threshold == 1.0
        # Proliv that it would miss lower it all the same.
        near = made.calibrate(rules, normal, [0.9] * 4)
        assert near.threshold is not None
        assert 0.7 < near.threshold < 0.9
        assert not any("held at" in note for note in near.notes)
        # Enough bleed-outs that lie as far, with false alarms; and who asks for a rule gets what it chooses.
        enough = replace(midpoint(cautious.model_copy(update={"minimum_events": 4})), fallback_of=lambda _: natural)
        raised = made.calibrate(enough, [*normal, *[1.2] * 6], [9.0] * 4)
        assert raised.threshold == pytest.approx(3.286, rel=1e-3)
        asked = replace(rules, explicit=True)
        assert made.calibrate(asked, normal, [9.0] * 4).threshold == pytest.approx(2.4974, rel=1e-4)


def test_only_detectors_that_name_a_natural_threshold_have_one(tmp_path: Path) -> None:
    registry = Registry.load()
    rules = Rules.of(registry, Configuration(settings=Settings(), file=None))
    with made_up(tmp_path) as made:
        for name in registry.detectors:
            own = rules.fallback_of(made.model._replace(detector=name))
            expected = registry.detector_class(name).natural_threshold
            assert (own and own.choose(ScoreEvidence(np.array([]), np.array([])))) == expected
        assert rules.fallback_of(made.model._replace(detector="uninstalled")) is None


def test_a_rule_that_was_asked_for_is_never_replaced_by_the_fallback(tmp_path: Path) -> None:
    rules = midpoint(LOW)
    explicit = Rules(rules.rule, rules.fallback, rules.settings, explicit=True)
    with made_up(tmp_path) as made, pytest.raises(EvidenceMissingError, match="needs at least one labelled crop"):
        made.calibrate(explicit, [1.0] * 10, [])


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


@pytest.mark.parametrize("scores", [[1.0] * 8, [0.0] * 8, [1e-300] * 8])
def test_equal_scores_of_both_classes_give_a_threshold_within_their_range(tmp_path: Path, scores: list[float]) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), scores, scores)
        assert outcome.threshold == pytest.approx(scores[0])
