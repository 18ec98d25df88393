from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.configuration.file import load
from monitor.configuration.settings import Settings
from monitor.crops.decoder import LARGEST_PIXEL_LIMIT
from monitor.crops.loader import CropReader
from monitor.registry import Registry
from tests.support.configurations import SAMPLE, problems, written

if TYPE_CHECKING:
    import pytest
    from pydantic import BaseModel


def test_the_sample_holds_every_key_with_its_default() -> None:
    sample = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    defaults = Settings()
    sections = {name: section for name, section in sample.items() if name not in {"rules", "detectors"}}
    assert {name: set(section) for name, section in sections.items()} == {
        name: set(type(getattr(defaults, name)).model_fields)
        for name in Settings.model_fields
        if name not in {"rules", "detectors"}
    }
    loaded = load(SAMPLE).settings
    for name in sections:
        assert getattr(loaded, name) == getattr(defaults, name), name


def plugin_models() -> dict[tuple[str, str], type[BaseModel]]:
    """The settings of the built-in plug-ins, by their section."""
    registry = Registry.load()
    builtin = "proliv-monitor: builtin-plugins"
    detectors = {
        ("detectors", name): registry.detector_class(name).Settings
        for name, offer in registry.detectors.items()
        if offer.origin == builtin
    }
    rules = {
        ("rules", name): registry.rule_class(name).Settings
        for name, offer in registry.rules.items()
        if offer.origin == builtin
    }
    return detectors | rules


def defaults_of(model: type[BaseModel]) -> dict[str, Any]:
    """Every key that has a default which TOML can hold."""
    return {key: value for key, value in model().model_dump(mode="json").items() if value is not None}


def test_the_samples_plugin_sections_hold_every_key_with_its_default() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    # A key stands behind a comment sign where setting it would override what another key brings with it.
    uncommented = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    models = plugin_models()
    shown = {(kind, name) for kind in ("detectors", "rules") for name in uncommented.get(kind, {})}
    with_settings = {key for key, model in models.items() if any(defaults_of(model).values())}
    assert shown == with_settings
    for kind, name in shown:
        section: dict[str, Any] = uncommented[kind][name]
        assert section == defaults_of(models[kind, name]), (kind, name)
        as_loaded = getattr(load(SAMPLE).settings, kind)[name]
        assert models[kind, name].model_validate(as_loaded) == models[kind, name](), (kind, name)


def test_the_sample_mentions_every_plugin_key_without_a_default() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    for (kind, name), model in plugin_models().items():
        for key in model.model_fields.keys() - defaults_of(model).keys():
            assert re.search(rf"^# \[{kind}\.{name}\].*\b{key}\b", text, re.MULTILINE), (kind, name, key)


def test_the_most_pixels_that_can_be_set_are_the_most_that_can_be_decoded() -> None:
    assert problems(f"crops.max_pixels = {LARGEST_PIXEL_LIMIT + 1}", Path.cwd()) == [
        f"crops.max_pixels: should be less than or equal to {LARGEST_PIXEL_LIMIT} (got 178956971)"
    ]
    allowed = load(written(Path.cwd(), f"crops.max_pixels = {LARGEST_PIXEL_LIMIT}")).settings.crops
    CropReader(max_bytes=allowed.max_bytes, max_pixels=allowed.max_pixels)


def test_every_key_can_be_given_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    sample = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    for section, keys in sample.items():
        for key, value in keys.items():
            if not isinstance(value, dict):
                text = value if isinstance(value, str) else json.dumps(value)
                monkeypatch.setenv(f"MONITOR__{section}__{key}".upper(), text)
    assert load().settings == defaults
    monkeypatch.setenv("MONITOR__TRAINING__SEED", "7")
    assert load().settings != defaults
