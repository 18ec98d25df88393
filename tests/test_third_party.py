"""A package of a third party, written and installed here, is used by real processes exactly as a built-in is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunMonitor

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-detectors"
version = "1.0"
dependencies = ["numpy", "pydantic"]

[project.entry-points.monitor]
detectors = "acme_detectors"

[tool.hatch.build.targets.wheel]
packages = ["acme_detectors"]
"""

REGISTRATION = """
from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_detectors():
    return [Provider("acme-mean", "the distance from the mean crop", "acme_detectors.mean:MeanCrop")]


@hookimpl
def monitor_register_rules():
    return [Provider("acme-highest", "just above every normal crop", "acme_detectors.mean:Highest")]
"""

DETECTOR = """
import numpy as np
from monitor.api import Detector, FitReport, Scores, ThresholdRule
from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = 16


class MeanCrop(Detector):
    name = "acme-mean"
    Settings = Settings

    @property
    def input_size(self):
        return self.settings.side, self.settings.side

    def fit(self, crops, *, validation, seed, progress):
        self.mean = crops.mean(axis=0, dtype=np.float64).astype(np.float32) / 255
        return FitReport()

    def score(self, crops):
        errors = crops.astype(np.float32) / 255 - self.mean
        return Scores(
            np.square(errors).mean(axis=(1, 2, 3), dtype=np.float32),
            others={"highest": np.abs(errors).max(axis=(1, 2, 3))},
        )

    def reconstruct(self, crops):
        return np.broadcast_to(self.mean, crops.shape)

    def latent(self, crops):
        return self.score(crops).mse[:, None]

    def save(self, folder):
        np.save(folder / "mean.npy", self.mean, allow_pickle=False)

    @classmethod
    def load(cls, folder, settings, device):
        detector = cls(settings, device)
        detector.mean = np.load(folder / "mean.npy", allow_pickle=False)
        return detector


class RuleSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: float = 1.0


class Highest(ThresholdRule):
    name = "acme-highest"
    Settings = RuleSettings

    def choose(self, evidence):
        return float(evidence.normal.max() * self.settings.margin)
"""


@pytest.fixture
def installed(tmp_path: Path, clean_environment: dict[str, str]) -> Path:
    """The folder that pip installed the package into."""
    source = tmp_path / "acme"
    (source / "acme_detectors").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "acme_detectors" / "__init__.py").write_text(REGISTRATION)
    (source / "acme_detectors" / "mean.py").write_text(DETECTOR)
    target = tmp_path / "target"
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-cache-dir")
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", target, source],
        env=clean_environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return target


def test_a_third_partys_detector_and_rule_are_used_like_the_built_in_ones(
    installed: Path, tmp_path: Path, run_monitor: RunMonitor
) -> None:
    (tmp_path / "config.toml").write_text(
        "[detectors.acme-mean]\nside = 12\n[rules.acme-highest]\nmargin = 1.25\n[calibration]\nrule = 'acme-highest'\n"
    )

    def run(*arguments: str, code: int = 0) -> str:
        ended = run_monitor(*arguments, environment={"PYTHONPATH": str(installed)})
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    listed = {row["name"]: row for row in json.loads(run("plugins", "--format", "json"))["plugins"]}
    assert listed["acme-mean"] == {
        "name": "acme-mean",
        "kind": "detector",
        "from": "acme-detectors: detectors",
        "summary": "the distance from the mean crop",
    }
    assert listed["acme-highest"]["kind"] == "rule"

    run("gen", "crops", "data", "--train", "40", "--proliv", "6", "--test", "24")
    run("train", "acme-mean", "--data", "data", "--limit", "30")
    run("calibrate", "--data", "data")
    (model,) = json.loads(run("status", "--format", "json"))["models"]
    assert model["model"].startswith("acme-mean-")
    assert model["rule"] == "acme-highest"
    (manifest,) = (tmp_path / "state" / "models").glob("acme-mean-*/model.json")
    assert json.loads(manifest.read_text())["settings"] == {"side": 12}

    scored = [json.loads(line) for line in run("score", "data/test", "--format", "json", code=3).splitlines()]
    assert len(scored) == 24
    assert {row["detector"] for row in scored} == {"acme-mean"}
    assert {row["threshold"] for row in scored} == {model["threshold"]}
    assert all((row["score"] >= row["threshold"]) == (row["verdict"] == "proliv") for row in scored)

    measured = json.loads(run("evaluate", "data", "--format", "json"))
    caught = sum(row["verdict"] == "proliv" for row in scored)
    assert (measured["model"], measured["n"], measured["tp"] + measured["fp"]) == (model["model"], 24, caught)
    by_folder = sum(row["verdict"] == "proliv" and row["file"].startswith("proliv/") for row in scored)
    assert measured["tp"] == by_folder


def test_a_model_of_an_uninstalled_package_is_named_with_the_remedy(
    installed: Path, tmp_path: Path, run_monitor: RunMonitor
) -> None:
    environment = {"PYTHONPATH": str(installed)}
    assert run_monitor("gen", "crops", "data", "--train", "20", "--proliv", "2", "--test", "4").returncode == 0
    assert run_monitor("train", "acme-mean", "--data", "data", environment=environment).returncode == 0
    calibrated = run_monitor("calibrate", "--data", "data", environment=environment)
    assert calibrated.returncode == 0, calibrated.stderr
    ended = run_monitor("score", "data/test")
    assert ended.returncode == 78
    assert "there is no detector 'acme-mean'; installed are: " in ended.stderr
