"""Detectors of third parties, installed, are used by real processes as the built-in ones are.

One is the package on the page "write your own detector"; another has neither reconstructions nor codes.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import neighbours_detector
from tests.support.daemon import Daemon
from tests.support.distributions import install
from tests.support.states import made_once, make_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import RunMonitor

pytestmark = pytest.mark.process

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


def assert_it_keeps_the_laws(detector: str, site: Path, environment: dict[str, str]) -> None:
    laws = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/plugins/detectors/test_laws.py"]
    ended = subprocess.run(
        [*laws, "-k", detector],
        env={**environment, "PYTHONPATH": str(site)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout


def test_the_pages_detector_keeps_the_laws(installed: Path, clean_environment: dict[str, str]) -> None:
    assert_it_keeps_the_laws("acme-mean", installed, clean_environment)


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


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a distribution whose detector neither reconstructs crops nor has codes of them."""
    site = tmp_path_factory.mktemp("site")
    install(site, "neighbours_detector", Path(neighbours_detector.__file__).read_text(encoding="utf-8"))
    return site


@pytest.fixture(scope="module")
def neighbours_state(tmp_path_factory: pytest.TempPathFactory, neighbours: Path, small_dataset: Path) -> Path:
    """A state folder with an active model of that detector; to be copied."""
    commands = [["train", "neighbours", "--set", "neighbours=2"], ["calibrate"]]

    def make(home: Path) -> None:
        make_state(home, small_dataset, commands, site=neighbours)

    return made_once(tmp_path_factory, "neighbours", make) / "state"


@pytest.fixture
def used(neighbours: Path, neighbours_state: Path, tmp_path: Path, run_monitor: RunMonitor) -> Callable[..., str]:
    """Run the command over a copy of that state; returns its standard output."""
    shutil.copytree(neighbours_state, tmp_path / "state")

    def run(*arguments: str | Path, code: int = 0) -> str:
        ended = run_monitor(*arguments, environment={"PYTHONPATH": str(neighbours)})
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    return run


def test_the_detector_without_reconstructions_keeps_the_laws(
    neighbours: Path, clean_environment: dict[str, str]
) -> None:
    assert_it_keeps_the_laws("neighbours", neighbours, clean_environment)


def test_a_detector_without_reconstructions_scores_decides_and_is_measured(
    used: Callable[..., str], tmp_path: Path, small_dataset: Path
) -> None:
    (model,) = json.loads(used("status", "--format", "json"))["models"]
    assert model["model"].startswith("neighbours-")

    scored = [
        json.loads(line) for line in used("score", small_dataset / "test", "--format", "json", code=3).splitlines()
    ]
    assert len(scored) == 40
    assert all(row["mse"] > 0 and row["mse"] != row["score"] for row in scored)
    measured = json.loads(used("evaluate", small_dataset, "--format", "json"))
    assert measured["n"] == 40
    assert measured["tp"] + measured["fp"] == sum(row["verdict"] == "proliv" for row in scored)
    assert measured["roc_auc"] > 0.9
    compared = used("compare", small_dataset, "--output", tmp_path / "roc.png")
    assert compared.startswith(model["model"])
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
    used("db", "check")


def test_a_report_says_what_a_detector_without_reconstructions_cannot_show(
    used: Callable[..., str], tmp_path: Path, small_dataset: Path
) -> None:
    used("report", "--data", small_dataset)
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Ten crops with heat map" in page
    assert "The detector 'neighbours' reconstructs no crops, so they are shown without." in page
    assert "The crops' codes are not shown: the detector 'neighbours' has no codes of crops." in page
    assert "The mean squared error against the mean crop" in page
    assert "cannot be shown" not in page


def test_the_daemon_decides_by_a_detector_without_reconstructions(
    used: Callable[..., str], neighbours: Path, tmp_path: Path, small_dataset: Path
) -> None:
    daemon = Daemon(tmp_path)
    daemon.environment["PYTHONPATH"] = str(neighbours)
    try:
        daemon.start()
        shutil.copy(min((small_dataset / "test" / "proliv").iterdir()), daemon.inbox)
        daemon.until(lambda: daemon.query("select count(*) from scores") == [(1,)])
        assert daemon.stop() == 0
    finally:
        daemon.kill()
    ((detector, mse, score, verdict),) = daemon.query(
        "select m.detector, d.mse, d.score, d.verdict from scores d join models m on m.id = d.model_id"
    )
    assert (detector, verdict) == ("neighbours", "proliv")
    assert mse > 0
    assert score > mse
    used("db", "check")
