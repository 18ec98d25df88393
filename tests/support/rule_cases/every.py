"""All cases."""

from __future__ import annotations

from tests.support.rule_cases.failures import DISKS, FAILURES, HELPERS
from tests.support.rule_cases.quality import DRIFT, QUALITY, THRESHOLDS, UNUSUAL_CROPS
from tests.support.rule_cases.runs import LEARNING, RUNS
from tests.support.rule_cases.service import SERVICE
from tests.support.rule_cases.supply import SPEED, SUPPLY

CASES = [
    *SERVICE,
    *SUPPLY,
    *SPEED,
    *QUALITY,
    *UNUSUAL_CROPS,
    *THRESHOLDS,
    *RUNS,
    *LEARNING,
    *DRIFT,
    *FAILURES,
    *HELPERS,
    *DISKS,
]
