"""A fault of a plug-in is said to be the plug-in's, with its package and what to do, and never one of monitor."""

from __future__ import annotations

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
    input_size = (8, 8)

    def fit(self, crops, {fit_takes}):
        {fit}

    def score(self, crops):
        return Scores(np.zeros(len(crops), dtype=np.float32))

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder, settings, device):
        return cls(settings, device)


class Odd(ThresholdRule):
    name = "odd"
    Settings = Settings

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
    return [Provider("export", "Fails.", "acme_faults:export"), Provider("gone", "Is gone.", "acme_faults_gone:x")]


class Half(Detector):
    name = "broken"
    Settings = Settings
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install the package acme-faults, whose methods do what is given."""

    def install(
        fit: str = "return FitReport()",
        choose: str = "return 1.0",
        detector: str = "Broken",
        fit_takes: str = "*, validation, seed, progress",
    ) -> None:
        site = tmp_path / "site"
        site.mkdir()
        code = dedent(PLUGIN).format(fit=fit, choose=choose, detector=detector, fit_takes=fit_takes)
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
    assert "the detector 'broken': its method fit returned NoneType, and it has to return a monitor.api.FitReport" in (
        trained.stderr
    )


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
        ("return None", 65, "monitor: the rule 'odd' chose None, which is no threshold\n"),
        ("return 'high'", 65, "monitor: the rule 'odd' chose 'high', which is no threshold\n"),
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


def test_a_fault_of_monitor_stays_its_own(
    faulty: Callable[..., None], home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> None:
        raise RuntimeError("ours")

    faulty()
    monkeypatch.setattr("monitor.configuration.file.load", fail)
    assert "this is a defect of monitor; please report it with the lines above" in monitor("status").stderr
