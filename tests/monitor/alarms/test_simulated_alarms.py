from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.support.simulated_alarms import RULES as EVERY_RULE
from tests.support.simulated_alarms import Errors, a_day, decided, replayed, report

RULES = [(1, 1, 10.0), (3, 3, 10.0), (75, 90, 90.0)]


def test_errors_are_as_frequent_as_asked_for_by_themselves_and_in_runs() -> None:
    day = a_day(np.random.default_rng(1), seconds=20_000, events=20)
    for run_seconds in (1, 60):
        errors = Errors(false_alarms=0.02, misses=0.05, run_seconds=run_seconds)
        called = decided(day, errors, np.random.default_rng(2)).proliv.reshape(day.proliv.shape)
        assert called[~day.proliv].mean() == pytest.approx(0.02, rel=0.1)
        assert called[day.proliv].mean() == pytest.approx(0.95, abs=0.05)
        # In runs, what follows an error is nearly always one.
        wrong = called & ~day.proliv
        assert (wrong[1:] & wrong[:-1]).sum() / wrong.sum() == pytest.approx(1 - 1 / run_seconds, abs=0.03)


def test_the_events_are_those_of_the_crops() -> None:
    day = a_day(np.random.default_rng(1), seconds=3600, events=5)
    assert sum((one.end - one.start) / timedelta(seconds=1) + 1 for one in day.events) == day.proliv.sum()


def test_more_proliv_end_single_errors_and_not_those_of_a_tool() -> None:
    """What docs/alarms.md concludes, on an hour in place of a day."""
    day = a_day(np.random.default_rng(1), seconds=3600, events=6)
    alone = replayed(day, Errors(0.004), 1, RULES)
    in_runs = replayed(day, Errors(0.004, run_seconds=60), 1, RULES)
    assert alone[0].false_alarms > 300
    assert alone[1].false_alarms <= 1
    assert in_runs[0].false_alarms == in_runs[1].false_alarms > 3
    assert in_runs[2].false_alarms < in_runs[1].false_alarms / 3
    for outcomes in (alone, in_runs):
        assert outcomes[1].caught == outcomes[2].caught == len(day.events)
        assert [one.seconds_median for one in outcomes[1:]] == pytest.approx([2, 75], abs=2)


@pytest.mark.process
@pytest.mark.timeout(600)
def test_the_tables_of_the_documentation_are_those_of_the_simulation() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "alarms.md").read_text(encoding="utf-8").splitlines()
    computed = [line for line in report() if line.startswith("|")]
    assert len(computed) == 2 * (2 + len(EVERY_RULE))
    assert [line for line in computed if line not in documented] == []
