"""When labelled crops are reason enough to leave the threshold that a score itself suggests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.api import ScoreEvidence
from monitor.thresholds.natural import why_held
from plugins.rules import Fixed
from tests.support.made_up import MadeUp, midpoint
from tests.support.made_up_rules import LOW, night


def held(threshold: float, normal: list[float], proliv: list[float], incidents: int = 3) -> str | None:
    scores = ScoreEvidence(np.array(normal), np.array(proliv))
    return why_held(threshold, 1.0, scores, incidents=incidents, minimum_events=3)


@pytest.mark.parametrize(
    ("threshold", "normal", "proliv", "is_held"),
    [
        (1.0, [], [], False),
        # Lower: only for a proliv that it catches and the natural one misses.
        (0.8, [0.1], [1.0, 1.2], True),
        (0.8, [0.1], [0.7], True),
        (0.8, [0.1], [0.8, 1.2], False),
        # Higher: six false alarms that it would end are more than chance, five are not, nor are as many proliv.
        (1.3, [0.1], [2.0], True),
        (1.3, [1.0] * 5, [2.0], True),
        (1.3, [1.3] * 6, [2.0], True),
        (1.3, [1.0] * 6, [2.0], False),
        (1.3, [1.0] * 6, [1.2], True),
        (1.3, [1.0] * 9, [1.2], False),
    ],
)
def test_errors_of_the_natural_threshold_are_what_it_takes(
    threshold: float, normal: list[float], proliv: list[float], *, is_held: bool
) -> None:
    assert (held(threshold, normal, proliv) is not None) == is_held


def test_false_alarms_do_not_make_up_for_bleed_outs() -> None:
    assert "come from 2 bleed-outs, fewer than calibration.minimum_events (3)" in (held(1.3, [1.0] * 9, [2.0], 2) or "")


def test_a_hard_proliv_that_was_caught_lowers_nothing_and_one_that_was_missed_does(made: MadeUp) -> None:
    natural = Fixed(Fixed.Settings.model_validate({"threshold": 1.0}))
    rules = replace(midpoint(LOW), fallback_of=lambda _: natural)
    made.calibrate(rules, np.linspace(0, 0.5, 101).tolist(), [3.0] * 4)
    assert made.active().threshold == 1.0
    made.label(made.crop(1.1), "proliv")
    unchanged = night(made, rules)
    assert (unchanged.result, made.active().threshold) == ("unchanged", 1.0)
    assert any("not lowered to 0.7" in note and "no labelled proliv lies between" in note for note in unchanged.notes)
    made.label(made.crop(0.9), "proliv")
    lowered = night(made, rules)
    assert lowered.result == "activated"
    assert lowered.threshold is not None
    assert 0.5 < lowered.threshold < 0.9
