"""On a host without the extra ``report`` there are no pictures, and everything else works."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.configuration import extras
from monitor.crops.in_memory import ReadCrops
from monitor.report.held_out import view_held_out
from monitor.words import Identity

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from monitor.scoring.ensemble import ActiveModel
    from tests.conftest import RunMonitor

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def monitor(tmp_path: Path, trained_state: Path, run_monitor: RunMonitor) -> Run:
    """Run the program where matplotlib cannot be imported, in a folder with one active model."""
    shutil.copytree(trained_state, tmp_path / "state")
    site = tmp_path / "site"
    site.mkdir()
    # Python imports this module when it begins.
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['matplotlib'] = None\n", encoding="utf-8")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run_monitor(*arguments, environment={"PYTHONPATH": str(site)})

    return run


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_picture_that_is_asked_for_says_what_to_install(
    monitor: Run, tmp_path: Path, small_dataset: Path, command: str
) -> None:
    outcome = monitor(command, *([small_dataset] if command == "compare" else []))
    assert (outcome.returncode, outcome.stdout) == (78, "")
    assert outcome.stderr == (
        f"monitor: {command}: the package matplotlib is not installed; install the extra: "
        "pip install 'proliv-monitor[report]'\n"
    )
    assert not list(tmp_path.glob("report*")) + list(tmp_path.glob("compare*"))


def test_crops_are_scored_and_models_measured(monitor: Run, small_dataset: Path) -> None:
    scored = monitor("score", small_dataset / "test", "--format", "json", "--exit-zero")
    assert scored.returncode == 0, scored.stderr
    assert len(scored.stdout.splitlines()) == 40
    evaluated = monitor("evaluate", small_dataset, "--format", "json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["n"] == 40


def test_a_model_is_trained_and_its_log_lacks_the_picture_alone(
    monitor: Run, tmp_path: Path, small_dataset: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ("--data", small_dataset, "--limit", "30", "--set", "epochs=1")
    outcome = monitor("train", "ae", *options, "--log", "tensorboard")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr.count("no picture of the held-out crops is drawn: it needs the package matplotlib") == 1
    (folder,) = (tmp_path / "state" / "logs").iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Tags()["images"] == []
    assert events.Tags()["histograms"] == ["held-out/scores"]
    assert "loss/validation" in events.Tags()["scalars"]


def test_the_scores_of_held_out_crops_are_the_same(
    new_model: Callable[..., ActiveModel], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = [np.full((9, 14, 3), level, dtype=np.uint8) for level in (0, 60, 200)]
    crops = ReadCrops(pixels=pixels, identities=[Identity(None, None, None)] * 3, digests=["a", "b", "c"])
    detector = new_model().detector
    drawn = view_held_out(detector, crops)
    assert drawn.picture is not None
    # The black crop is refused.
    assert drawn.scores.tolist() == pytest.approx([60 / 255, 200 / 255])
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    with caplog.at_level(logging.WARNING, "monitor.report.held_out"):
        scores, picture = view_held_out(detector, crops)
    assert scores.tolist() == drawn.scores.tolist()
    assert picture is None
    assert "install the extra: pip install 'proliv-monitor[report]'" in caplog.text
