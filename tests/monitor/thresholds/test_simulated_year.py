from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.words import Refusal
from tests.support.simulated_year import DAYS, KILLS, LIGHT_CHANGES_ON, report, simulate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.process
@pytest.mark.timeout(600)
def test_a_year_of_nights(tmp_path: Path) -> None:
    year = simulate(tmp_path)
    print(report(year))
    assert year.kills == KILLS
    # Every slot exactly once, and no model twice in one.
    assert len(year.expected) == DAYS - 1
    assert year.finished == year.expected
    assert set(year.changes_by_run.values()) == {1}
    # The mistake that is too small for a flood is refused until it is corrected, and a rollback is respected.
    assert {refusal for _, refusal, _ in year.refusals} == {Refusal.WORSE_TNR, Refusal.ROLLED_BACK}
    assert all(reason for _, _, reason in year.refusals)
    assert any("labels of trainee were given faster than 500 an hour" in one for one in year.set_aside)
    # While scores creep up, a threshold that stays lets more and more normal crops alarm.
    before = (1, LIGHT_CHANGES_ON)
    assert year.rates(*before, recalibrated=True)[1] > year.rates(*before, recalibrated=False)[1] + 0.03
    assert year.rates(*before, recalibrated=True)[0] >= 0.95
    assert year.rates(1, DAYS, recalibrated=True)[0] >= 0.9
    assert year.rates(1, DAYS, recalibrated=True)[1] >= 0.98
