from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from monitor.configuration.file import read
from monitor.registry import Broken, Registry
from monitor.upkeep.plugin_sections import problems, settings_of_all
from tests.support.configurations import written

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """\
[calibration]
rule = "nix"
fallback_rule = "normal-quantil"
[decision]
detectors = ["patchstats", "patchstat"]
[rules.tpr-at-least]
tpr = 7
[rules.nix]
a = 1
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


@pytest.mark.parametrize("also_wrong", ["", "[metrics]\nport = -1\n"])
def test_names_and_settings_are_checked_whatever_else_is_wrong(
    tmp_path: Path, registry: Registry, also_wrong: str
) -> None:
    file = written(tmp_path, WRONG + also_wrong)
    lines = list(problems(registry, read(file)))
    rules, detectors = (", ".join(sorted(names)) for names in (registry.rules, registry.detectors))
    assert lines == [
        f"{file}:2: calibration.rule: there is no rule 'nix'; installed are: {rules}",
        f"{file}:3: calibration.fallback_rule: there is no rule 'normal-quantil'; installed are: {rules}",
        f"{file}:5: decision.detectors: there is no detector 'patchstat'; installed are: {detectors}",
        f"{file}:7: rules.tpr-at-least.tpr: should be less than or equal to 1 (got 7)",
        f"{file}:8: rules.nix: there is no rule 'nix'; installed are: {rules}",
    ]


def test_a_name_may_be_that_of_a_plug_in_that_does_not_load(tmp_path: Path, registry: Registry) -> None:
    half = Registry(registry.offers, [Broken("other: plug-in", "reason", "detail")])
    lines = list(problems(half, read(written(tmp_path, WRONG))))
    assert [line.split(": ")[1] for line in lines] == ["rules.tpr-at-least.tpr"]


def test_a_variable_cannot_name_a_plug_in_with_a_dash(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR__RULES__TPR_AT_LEAST__TPR", "0.9")
    (line,) = problems(registry, read(written(tmp_path, "")))
    assert line.startswith("environment: MONITOR__RULES__TPR_AT_LEAST__TPR: there is no rule 'tpr_at_least'; ")
    assert line.endswith(
        "; a name with a dash can be given in a section only: MONITOR__RULES='{tpr-at-least = {KEY = 1}}'"
    )


def test_the_settings_of_all_plug_ins_that_have_some(tmp_path: Path, registry: Registry) -> None:
    reading = read(written(tmp_path, "rules.tpr-at-least.tpr = 0.5"))
    assert reading.configuration is not None
    found = settings_of_all(registry, reading.configuration)
    assert found["rules", "tpr-at-least"].model_dump() == {"tpr": 0.5}
    assert found["detectors", "patchstats"] == registry.detector_class("patchstats").Settings()


class Needy(BaseModel):
    """Settings with a key that has no default."""

    key: float


def test_a_plug_in_whose_settings_have_to_be_given_is_left_out_until_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.load()
    monkeypatch.setattr(registry.rule_class("fixed"), "Settings", Needy)
    for text, given in (("", False), ("rules.fixed.key = 2", True)):
        reading = read(written(tmp_path, text))
        assert reading.configuration is not None
        assert (("rules", "fixed") in settings_of_all(registry, reading.configuration)) is given
