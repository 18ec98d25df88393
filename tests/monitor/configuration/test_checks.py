from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.configurations import problems

if TYPE_CHECKING:
    from pathlib import Path


def test_who_decides_is_checked(tmp_path: Path) -> None:
    assert problems('[decision]\ndetectors = ["ae", "mnad", "ae"]\ndecide = "vote"', tmp_path) == [
        "decision.detectors: names ae more than once; name each detector once, the primary first "
        "(got ['ae', 'mnad', 'ae'])",
        "decision.decide: should be 'primary', 'any', 'all', 'majority' or 'rank-mean' (got 'vote')",
    ]


@pytest.mark.parametrize("value", ["", "Europe", "../UTC", "/etc/localtime", "UTC\\u0000", "Moscow"])
def test_a_time_zone_has_to_be_known(tmp_path: Path, value: str) -> None:
    (line,) = problems(f'plant.time_zone = "{value}"', tmp_path)
    assert line.startswith("plant.time_zone: is not a known time zone; use a name such as")
