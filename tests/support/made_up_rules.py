"""Rules and nights for tests of thresholds, on a store of `tests.support.made_up`."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from monitor.api import ThresholdRule
from monitor.configuration.settings import Calibration
from monitor.store import calibrations, runs
from monitor.thresholds.calibration import recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.thresholds.rules import Rules
from plugins.rules import Fixed
from tests.support.made_up import NOW, midpoint

if TYPE_CHECKING:
    from monitor.api import ScoreEvidence
    from monitor.thresholds.change import Change
    from monitor.thresholds.evidence import Evidence
    from tests.support.made_up import MadeUp

DAY = timedelta(days=1)
AGELESS = Calibration(half_life_days=0)
LOW = Calibration(minimum_proliv=2, minimum_normal=5, half_life_days=0)
SHADOW = LOW.model_copy(update={"shadow": True})


class NoSettings(BaseModel):
    model_config = ConfigDict(frozen=True)


class Odd(ThresholdRule):
    """A rule of a third party that gives any answer, or fails in any way."""

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


def odd_in_shadow(answer: float, settings: Calibration = SHADOW) -> Rules:
    """The same, whose thresholds are tried in the shadow first."""
    return Rules(odd(answer).rule, midpoint(LOW).fallback, settings)


def fixed(threshold: float) -> Fixed:
    return Fixed(Fixed.Settings(threshold=threshold))


def night(made: MadeUp, rules: Rules, days: float = 1, run_id: int | None = None) -> Change:
    (outcome,) = recalibrate(made.database, rules, ChangeRequest(NOW + days * DAY, "nightly", run_id))
    return outcome


def claim_run(made: MadeUp) -> int:
    """The id of a scheduled run that has begun."""
    with made.database.write() as connection:
        run = runs.claim(connection, "job", NOW, owner="me", now=NOW, lease=DAY)
    assert run is not None
    return run


def roll_back(made: MadeUp, days: float) -> tuple[float | None, float | None] | None:
    """The threshold that was left and the one that counts now; None where there is nothing to go back to."""
    with made.database.write() as connection:
        done = calibrations.roll_back(connection, made.model.id, NOW + days * DAY)
    return None if done is None else (done[0].threshold, done[1].threshold)


def evidence(made: MadeUp, settings: Calibration = AGELESS, *, days: float = 1, accept: bool = False) -> Evidence:
    with made.database.read() as connection:
        return gather_evidence(connection, made.model.id, settings, now=NOW + days * DAY, accept=accept)
