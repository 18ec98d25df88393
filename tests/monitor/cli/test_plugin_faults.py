"""A fault of a plug-in is said to be the plug-in's, with its package and what to do, and never one of monitor."""

from __future__ import annotations

import shutil
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.support import distributions

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """
import click
import numpy as np
from pydantic import BaseModel

from monitor.api import Detector, FitReport, Provider, Scores, ThresholdRule, hookimpl, mean_squared_errors


class Settings(BaseModel):
    pass


class Broken(Detector):
    name = "broken"
    Settings = Settings
    input_size = {input_size}

    def fit(self, crops, {fit_takes}):
        {fit}

    def score(self, crops):
        {score}

    def heatmap(self, crops):
        {heatmap}

    def details(self):
        {details}

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder, settings, device):
        {load}


class Odd(ThresholdRule):
    name = "odd"
    Settings = Settings

    def __init__(self, settings):
        super().__init__(settings)
        {make}

    def choose(self, evidence):
        {choose}


@click.command()
def export():
    helper()


def helper():
    raise ZeroDivisionError("by a plug-in")


@hookimpl
def monitor_register_detectors():
    return [Provider("broken", "fails", "acme_faults:{detector}")]


@hookimpl
def monitor_register_rules():
    return [Provider("odd", "fails", "acme_faults:Odd")]


@hookimpl
def monitor_register_commands():
    return [Provider("export", "Fails.", "acme_faults:export"), Provider("gone", "Is gone.", "acme_faults_gone:x"),
            Provider("helper", "Is no command.", "acme_faults:helper")]


class Half(Detector):
    name = "broken"
    Settings = Settings
"""

# What its methods do unless a test says otherwise.
WORDS = {
    "input_size": "(8, 8)",
    "fit_takes": "*, validation, seed, progress",
    "fit": "return FitReport()",
    "score": "return Scores(np.zeros(len(crops), dtype=np.float32))",
    "heatmap": "return np.zeros((len(crops), 8, 8), dtype=np.float32)",
    "details": "return {}",
    "load": "return cls(settings, device)",
    "make": "pass",
    "choose": "return 1.0",
    "detector": "Broken",
}


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install the package acme-faults, whose methods do what is given."""

    def install(**words: str) -> None:
        site = tmp_path / "site"
        shutil.rmtree(site, ignore_errors=True)
        site.mkdir()
        code = dedent(PLUGIN).format(**{**WORDS, **words})
        distributions.install(site, "acme_faults", code)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(__import__("sys").modules, "acme_faults", raising=False)

    return install


def test_a_command(faulty: Callable[..., None], home: Path, monitor: Run) -> None:
    faulty()
    outcome = monitor("export")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("Traceback")
    assert outcome.stderr.endswith(
        "monitor: the plug-in acme-faults: main failed: ZeroDivisionError: by a plug-in; this is a fault of the "
        "package acme-faults: report the lines above to its authors, update it, or uninstall it: pip uninstall "
        "acme-faults\n"
    )
    log = monitor("--log-format", "json", "export").stderr
    assert "report this message to its authors" in log
    assert "defect" not in log


def test_a_command_that_cannot_be_imported(faulty: Callable[..., None], home: Path, monitor: Run) -> None:
    faulty()
    outcome = monitor("gone")
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: the command 'gone' of acme-faults: main cannot be imported from acme_faults_gone:x: No module "
        "named 'acme_faults_gone'; update the package acme-faults, or uninstall it\n"
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"fit": "raise KeyError('nix')"}, "KeyError: 'nix'"),
        ({"fit": "return np.zeros((2, 3)) @ np.zeros((2, 3))"}, "ValueError: matmul: "),
        ({"input_size": "None"}, "TypeError: "),
        ({"fit_takes": "validation, seed"}, "TypeError: Broken.fit() got an unexpected keyword argument 'progress'"),
    ],
)
def test_a_detector(
    faulty: Callable[..., None], home: Path, monitor: Run, small_dataset: Path, words: dict[str, str], problem: str
) -> None:
    faulty(**words)
    outcome = monitor("train", "broken", "--data", small_dataset, "--limit", "20")
    assert outcome.returncode == 1
    assert f"monitor: the plug-in acme-faults: main failed: {problem}" in outcome.stderr
    assert "this is a fault of the package acme-faults" in outcome.stderr
    assert "defect" not in outcome.stderr


def test_a_detector_that_keeps_the_contract_not(
    faulty: Callable[..., None], home: Path, monitor: Run, small_dataset: Path
) -> None:
    faulty(fit="pass", choose="return None")
    trained = monitor("train", "broken", "--data", small_dataset, "--limit", "20")
    assert trained.returncode == 78
    assert (
        "the detector 'broken' of acme-faults: main: its method fit returned NoneType, and it has to return a "
        "monitor.api.FitReport"
    ) in trained.stderr


def test_a_detector_that_lacks_methods(
    faulty: Callable[..., None], home: Path, monitor: Run, small_dataset: Path
) -> None:
    faulty(detector="Half")
    outcome = monitor("train", "broken", "--data", small_dataset)
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: the detector 'broken' of acme-faults: main lacks what every detector has to define: fit, input_size, "
        "load, save, score\n"
    )


@pytest.mark.parametrize(
    ("choose", "code", "sentence"),
    [
        ("return evidence.normal[10 ** 9]", 1, "the plug-in acme-faults: main failed: IndexError: "),
        ("return None", 65, "monitor: the rule 'odd' of acme-faults: main chose None, which is no threshold\n"),
        ("return 'high'", 65, "monitor: the rule 'odd' of acme-faults: main chose 'high', which is no threshold\n"),
    ],
)
def test_a_rule(
    faulty: Callable[..., None], trained: Path, monitor: Run, small_dataset: Path, choose: str, code: int, sentence: str
) -> None:
    faulty(choose=choose)
    outcome = monitor("calibrate", "--rule", "odd", "--data", small_dataset)
    assert outcome.returncode == code
    assert sentence in outcome.stderr
    assert "defect" not in outcome.stderr


def test_what_is_offered_as_a_command_and_is_none(faulty: Callable[..., None], home: Path, monitor: Run) -> None:
    faulty()
    outcome = monitor("helper")
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: the command 'helper': acme_faults:helper is not a click command; update the package acme-faults, or "
        "uninstall it\n"
    )


@pytest.mark.parametrize(
    ("words", "line", "sentence"),
    [
        (
            {"score": "raise KeyError('nix')"},
            "score new.png --format json",
            "the detector broken of acme-faults: main failed: KeyError: 'nix'",
        ),
        (
            {"load": "raise KeyError('nix')"},
            "score new.png",
            "cannot be loaded by the detector 'broken' of acme-faults: main: KeyError: 'nix'; train it again",
        ),
        ({"details": "raise KeyError('nix')"}, "models show broken", "the plug-in acme-faults: main failed: KeyError"),
        (
            {"details": "return {'size': np.zeros(3)}"},
            "models show broken",
            "the detector 'broken' of acme-faults: main: its method details returned what JSON cannot hold: ",
        ),
        (
            {"heatmap": "return np.zeros((8, 8))"},
            "show 1 --output pictures",
            "the detector 'broken' of acme-faults: main: its method heatmap returned an array of shape (8, 8), and it "
            "has to return an array of shape (1, 8, 8)",
        ),
        (
            {"heatmap": "raise KeyError('nix')"},
            "show 1 --output pictures",
            "the plug-in acme-faults: main failed: KeyError: 'nix'",
        ),
    ],
)
def test_a_model_of_a_detector(
    faulty: Callable[..., None],
    home: Path,
    monitor: Run,
    small_dataset: Path,
    words: dict[str, str],
    line: str,
    sentence: str,
) -> None:
    faulty()
    for arguments in (("train", "broken", "--limit", "20"), ("calibrate", "--rule", "normal-quantile")):
        assert monitor(*arguments, "--data", small_dataset).returncode == 0
    shutil.copy(min((small_dataset / "test" / "ne_proliv").iterdir()), home / "crop.png")
    assert monitor("score", "crop.png", "--as-inbox", "--exit-zero").returncode == 0
    shutil.copy(min((small_dataset / "test" / "proliv").iterdir()), home / "new.png")
    faulty(**words)
    outcome = monitor(*line.split())
    assert outcome.returncode != 0
    assert sentence in outcome.stderr + outcome.stdout
    assert "defect" not in outcome.stderr


def test_a_rule_that_cannot_be_made(
    faulty: Callable[..., None], trained: Path, monitor: Run, small_dataset: Path
) -> None:
    faulty(make="raise KeyError('nix')")
    outcome = monitor("recalibrate", "--rule", "odd")
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: the rule 'odd' of acme-faults: main cannot be made: KeyError: 'nix'; update the package acme-faults, "
        "or uninstall it\n"
    )


def test_a_rule_among_all(faulty: Callable[..., None], trained: Path, monitor: Run, small_dataset: Path) -> None:
    faulty(choose="raise KeyError('nix')")
    outcome = monitor("evaluate", "--data", small_dataset, "--rules")
    assert outcome.returncode == 0, outcome.stderr
    assert "the rule 'odd' of acme-faults: main failed: KeyError: 'nix'" in outcome.stdout
    with (trained / "config.toml").open("a") as file:
        file.write("[calibration]\nminimum_normal = 10\n")
    nightly = monitor("recalibrate", "--rule", "odd")
    assert nightly.returncode == 65
    assert "the rule 'odd' of acme-faults: main failed: KeyError: 'nix'" in nightly.stderr + nightly.stdout


def test_a_fault_of_monitor_stays_its_own(
    faulty: Callable[..., None], home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> None:
        raise RuntimeError("ours")

    faulty()
    monkeypatch.setattr("monitor.configuration.file.load", fail)
    assert "this is a defect of monitor; please report it with the lines above" in monitor("status").stderr
