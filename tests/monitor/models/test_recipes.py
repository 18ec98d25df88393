from __future__ import annotations

import logging

import pytest

from monitor.api import Recipe
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.errors import ConfigurationError, PluginError
from monitor.models.recipes import find_recipe, new_detector
from monitor.registry import DETECTOR, Registered, Registry
from plugins.detectors.patchstats import PatchStatistics


@pytest.fixture
def registry() -> Registry:
    return Registry.load()


@pytest.mark.parametrize(
    ("name", "detector"), [("dense-30x50", "ae"), ("linear-2", "ae"), ("linear-5", "ae"), ("cvae-64", "cvae")]
)
def test_every_recipe_makes_a_detector_and_names_a_rule(registry: Registry, name: str, detector: str) -> None:
    found = find_recipe(registry, name)
    configuration = Configuration(settings=Settings(), file=None)
    assert found.detector == detector
    settings = new_detector(registry, configuration, found, {}).settings.model_dump()
    assert found.recipe.settings.items() <= settings.items()
    registry.new_rule(found.recipe.rule, configuration, found.recipe.rule_settings)


def test_what_is_typed_wins_over_the_recipe_and_the_recipe_over_the_configuration(registry: Registry) -> None:
    settings = Settings(detectors={"ae": {"code_size": 7, "cell": 5}})
    configuration = Configuration(settings=settings, file=None)
    found = find_recipe(registry, "linear-2")
    made = new_detector(registry, configuration, found, {"epochs": 3}).settings
    assert (made.code_size, made.cell, made.epochs) == (64, 10, 3)
    with pytest.raises(ConfigurationError, match=r"--set: detectors\.ae\.nix: unknown key"):
        new_detector(registry, configuration, found, {"nix": 1})


def test_two_detectors_with_a_recipe_of_one_name_are_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatchStatistics, "recipes", (Recipe("linear-2", "another", {}, "stump"),))
    with pytest.raises(PluginError, match="two detectors have a recipe 'linear-2': proliv-monitor"):
        find_recipe(registry, "linear-2")


def test_a_detector_that_cannot_be_imported_hides_no_recipe_of_others(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    provider = registry.detectors["ae"].provider
    gone = type(provider)("gone", "is gone", "nowhere.at.all:Detector")
    registry.offers[DETECTOR]["gone"] = Registered(DETECTOR, gone, "acme: main")
    with caplog.at_level(logging.WARNING):
        assert find_recipe(registry, "cvae-64").detector == "cvae"
    assert "the detector 'gone' of acme: main cannot be imported" in caplog.text
