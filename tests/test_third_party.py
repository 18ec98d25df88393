"""The package on the page "write your own detector", installed, is used by real processes as the built-in ones are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RunMonitor

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/detectors/your-own.md"


def documented_files() -> dict[str, str]:
    """The files of the package that the page shows, by their names."""
    return dict(re.findall(r"^`(acme/\S+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def installed(tmp_path: Path, clean_environment: dict[str, str]) -> Path:
    """The folder that pip installed the package into."""
    source = tmp_path / "acme"
    for name, content in documented_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
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

    run("gen", "crops", "data", "--train", "40", "--proliv", "24", "--test", "24")
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


def test_the_page_shows_a_whole_package() -> None:
    assert list(documented_files()) == [
        "acme/pyproject.toml",
        "acme/acme_detectors/__init__.py",
        "acme/acme_detectors/mean.py",
    ]


def test_the_pages_detector_keeps_the_laws(installed: Path, clean_environment: dict[str, str]) -> None:
    laws = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/plugins/detectors/test_laws.py"]
    ended = subprocess.run(
        [*laws, "-k", "acme-mean"],
        env={**clean_environment, "PYTHONPATH": str(installed)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout


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
